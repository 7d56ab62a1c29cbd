package compare;

import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.Repartitioned;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in Kafka Streams: four streams, merged and repartitioned by product, a processor with three stores in RocksDB
 * that have changelogs and caches. The argument is the guarantee, at_least_once or exactly_once_v2; the environment
 * names broker, application and data directory.
 */
public final class Main {
    private static final int PARTITIONS = 4;
    private static final String SESSION_MS = "6000";
    private static final long CACHE_BYTES = 64L << 20;

    private Main() {}

    public static void main(String[] arguments) {
        String application = System.getenv("COMPARE_APPLICATION");
        KafkaStreams streams = new KafkaStreams(topology(application), settings(application, arguments[0]));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    static Topology topology(String application) {
        Serde<String> text = Serdes.String();
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, Fact> facts = null;
        for (Map.Entry<String, String> input : Fact.KINDS) {
            KStream<String, Fact> stream = builder
                    .stream(application + "." + input.getKey(), Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                    .flatMap((key, value) -> byProduct(Fact.read(input.getValue(), value)));
            facts = facts == null ? stream : facts.merge(stream);
        }
        store(builder, Rules.COMPLAINTS, new Json<>(Rules.Complaints.class));
        store(builder, Rules.SALES, new Json<>(Rules.Sales.class));
        store(builder, Rules.STOCK, new Json<>(Rules.Stock.class));
        Repartitioned<String, Fact> byProduct = Repartitioned.with(text, new Json<>(Fact.class));
        facts.repartition(byProduct.withName("facts").withNumberOfPartitions(PARTITIONS))
                .process(Rules::new, Rules.COMPLAINTS, Rules.SALES, Rules.STOCK)
                .to(application + ".events", Produced.with(text, new Json<>(Rules.Event.class)));
        return builder.build();
    }

    private static List<KeyValue<String, Fact>> byProduct(List<Fact> facts) {
        return facts.stream().map(fact -> KeyValue.pair(fact.productId(), fact)).toList();
    }

    private static <T> void store(StreamsBuilder builder, String name, Serde<T> serde) {
        StoreBuilder<KeyValueStore<String, T>> store =
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), serde);
        builder.addStateStore(store.withCachingEnabled());
    }

    private static Properties settings(String application, String guarantee) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("COMPARE_BROKER"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("COMPARE_DATA"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, CACHE_BYTES);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        // At least once flushes caches and commits every 30 s by default, which is what a crash would repeat.
        if (guarantee.equals(StreamsConfig.AT_LEAST_ONCE)) {
            settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        }
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), SESSION_MS);
        // Streams' own default of 100 ms would be most of the latency.
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
        return settings;
    }
}
