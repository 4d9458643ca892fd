import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** One node of Elasticsearch, without what guards a server on a network: Main HOME DATA PORT. Its modules are in HOME/modules. */
public class Main {
    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]);
        // Before any class of the server asks for a logger.
        System.setProperty("es.path.home", home.toString());
        LogConfigurator.registerErrorListener();
        LogConfigurator.configureESLogging();
        Settings settings = Settings.builder()
            .put("cluster.name", "gudang-test")
            .put("node.name", "one")
            .put("path.home", home)
            .put("path.data", args[1])
            .put("path.logs", args[1])
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[2])
            .put("transport.port", "0")
            .put("node.processors", 2)
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), home.resolve("config"), () -> "one");
        PluginsLoader modules = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(home.resolve("modules")), Set.of(), Map.of(), false);
        Node node = new Node(environment, modules);
        CountDownLatch stopped = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
            stopped.countDown();
        }));
        node.start();
        System.out.println("node started");
        stopped.await();
    }
}
