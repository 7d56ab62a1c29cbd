package compare;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** The three rules, as tests/bench/compare/rules.py explains them. */
final class Rules extends ContextualProcessor<String, Fact, String, Rules.Event> {
    static final String COMPLAINTS = "complaints";
    static final String SALES = "sales";
    static final String STOCK = "stock";

    private static final long HOUR_MS = 3_600_000;
    private static final long STEP_MS = 300_000;
    private static final long STEPS = HOUR_MS / STEP_MS;
    private static final int SURGE = 51;
    private static final double RISE = 0.10;
    private static final double LEAST_RATE = 0.10;
    private static final int LEAST_UNITS = 30;
    private static final int LEAST_RETURNS = 5;
    private static final double SIGMAS = 3;
    private static final double REACTION_S = 3;
    private static final long MINUTE_MS = 60_000;
    private static final double MINUTE_S = 60;

    record Event(String product_id, String rule, String record) {}

    /** The newest 51 complaints of a product. */
    static final class Complaints {
        public boolean open;
        public List<Long> times = new ArrayList<>();
    }

    /** Steps of five minutes: number, units ordered, units returned, returns. */
    static final class Sales {
        public boolean open;
        public List<long[]> steps = new ArrayList<>();
    }

    /** What is left of a SKU, as of when, and what sold in the newest minute and in the one before. */
    static final class Stock {
        public boolean open;
        public boolean known;
        public long available;
        public long asOf;
        public long minute;
        public long sold;
        public long soldBefore;
    }

    private KeyValueStore<String, Complaints> complaints;
    private KeyValueStore<String, Sales> sales;
    private KeyValueStore<String, Stock> stock;

    @Override
    public void init(ProcessorContext<String, Event> context) {
        super.init(context);
        complaints = context.getStateStore(COMPLAINTS);
        sales = context.getStateStore(SALES);
        stock = context.getStateStore(STOCK);
    }

    @Override
    public void process(Record<String, Fact> record) {
        Fact fact = record.value();
        if (fact.productId().startsWith("sentinel")) {
            trip(record, "sentinel");
        }
        switch (fact.kind()) {
            case Fact.COMPLAINT -> complained(record, fact);
            case Fact.RETURN -> sold(record, fact);
            case Fact.ORDER -> {
                sold(record, fact);
                counted(record, fact);
            }
            default -> counted(record, fact);
        }
    }

    private void complained(Record<String, Fact> record, Fact fact) {
        Complaints state = complaints.get(record.key());
        state = state == null ? new Complaints() : state;
        if (surge(state, fact) && !state.open) {
            state.open = true;
            trip(record, "complaint-surge");
        }
        complaints.put(record.key(), state);
    }

    private void sold(Record<String, Fact> record, Fact fact) {
        Sales state = sales.get(record.key());
        state = state == null ? new Sales() : state;
        if (spike(state, fact) && !state.open) {
            state.open = true;
            trip(record, "return-spike");
        }
        sales.put(record.key(), state);
    }

    private void counted(Record<String, Fact> record, Fact fact) {
        String sku = record.key() + "/" + fact.sku();
        Stock state = stock.get(sku);
        state = state == null ? new Stock() : state;
        if (oversell(state, fact) && !state.open) {
            state.open = true;
            trip(record, "oversell");
        }
        stock.put(sku, state);
    }

    private void trip(Record<String, Fact> record, String rule) {
        context().forward(record.withValue(new Event(record.key(), rule, record.value().record())));
    }

    static boolean surge(Complaints state, Fact fact) {
        List<Long> times = state.times;
        times.add(fact.atMs());
        Collections.sort(times);
        if (times.size() > SURGE) {
            times.remove(0);
        }
        return times.size() == SURGE && times.get(SURGE - 1) - times.get(0) < HOUR_MS;
    }

    static boolean spike(Sales state, Fact fact) {
        List<long[]> steps = state.steps;
        long number = fact.atMs() / STEP_MS;
        long[] step = steps.stream().filter(each -> each[0] == number).findFirst().orElse(null);
        if (step == null) {
            step = new long[] {number, 0, 0, 0};
            steps.add(step);
            steps.sort(Comparator.comparingLong(each -> each[0]));
        }
        if (fact.kind().equals(Fact.ORDER)) {
            step[1] += fact.number();
        } else {
            step[2] += fact.number();
            step[3]++;
        }
        long newest = steps.get(steps.size() - 1)[0];
        steps.removeIf(each -> each[0] <= newest - 2 * STEPS);
        double ordered = 0;
        double returned = 0;
        long returns = 0;
        double orderedBefore = 0;
        double returnedBefore = 0;
        for (long[] each : steps) {
            if (each[0] > newest - STEPS) {
                ordered += each[1];
                returned += each[2];
                returns += each[3];
            } else {
                orderedBefore += each[1];
                returnedBefore += each[2];
            }
        }
        if (ordered < LEAST_UNITS || returns < LEAST_RETURNS) {
            return false;
        }
        double base = Math.max(orderedBefore >= LEAST_UNITS ? returnedBefore / orderedBefore : 0, LEAST_RATE);
        if (returned / ordered - base < RISE) {
            return false;
        }
        double least = returned * Math.pow(1 - 1 / (9 * returned) - SIGMAS / (3 * Math.sqrt(returned)), 3);
        return least > base * ordered;
    }

    static boolean oversell(Stock state, Fact fact) {
        if (fact.kind().equals(Fact.STOCK)) {
            if (fact.atMs() >= state.asOf) {
                state.asOf = fact.atMs();
                state.available = fact.number();
                state.known = true;
            }
        } else {
            long minute = fact.atMs() / MINUTE_MS;
            if (minute > state.minute) {
                state.soldBefore = minute == state.minute + 1 ? state.sold : 0;
                state.minute = minute;
                state.sold = 0;
            }
            state.sold += fact.number();
            if (state.known && fact.atMs() >= state.asOf) {
                state.available -= fact.number();
            }
        }
        double rate = Math.max(state.sold, state.soldBefore) / MINUTE_S;
        return state.known && state.available <= Math.ceil(rate * REACTION_S);
    }
}
