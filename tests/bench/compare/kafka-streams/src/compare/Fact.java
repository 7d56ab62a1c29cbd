package compare;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What a record says about one product. {@code number} is the quantity of an order or a return, or what is on hand. */
public record Fact(String kind, String productId, String sku, long atMs, String record, int number) {
    static final String ORDER = "order";
    static final String RETURN = "return";
    static final String COMPLAINT = "complaint";
    static final String STOCK = "stock";

    /** The input topics, without the application's name, and what a record of each is. */
    static final List<Map.Entry<String, String>> KINDS = List.of(
            Map.entry("orders", ORDER),
            Map.entry("returns", RETURN),
            Map.entry("complaints", COMPLAINT),
            Map.entry("stock-levels", STOCK));

    static List<Fact> read(String kind, byte[] value) {
        try {
            JsonNode record = Json.MAPPER.readTree(value);
            long atMs = Instant.parse(record.get("occurred_at").textValue()).toEpochMilli();
            if (!kind.equals(ORDER)) {
                return List.of(of(kind, atMs, record, id(kind, record)));
            }
            List<Fact> facts = new ArrayList<>();
            for (JsonNode line : record.get("lines")) {
                facts.add(of(kind, atMs, line, record.get("order_id").textValue()));
            }
            return facts;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static String id(String kind, JsonNode record) {
        String name = kind.equals(RETURN) ? "return_id" : kind.equals(STOCK) ? "snapshot_id" : "complaint_id";
        return record.get(name).textValue();
    }

    private static Fact of(String kind, long atMs, JsonNode what, String record) {
        String productId = what.get("product_id").textValue();
        JsonNode sku = what.get("sku_id");
        JsonNode number = what.get(kind.equals(STOCK) ? "on_hand" : "quantity");
        String skuId = sku == null ? productId : sku.textValue();
        return new Fact(kind, productId, skuId, atMs, record, number == null ? 0 : number.intValue());
    }
}
