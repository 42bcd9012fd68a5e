import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.provider.JpaSystemProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.test.config.TestR4Config;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import java.net.InetSocketAddress;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;

/**
 * HAPI FHIR's JPA server for R4 on 127.0.0.1, with HAPI's own configuration for tests: a database in memory, nothing durable, nobody asked
 * who they are. The port is the one argument.
 */
public final class Hapi {
  public static void main(String[] arguments) throws Exception {
    var spring = new AnnotationConfigApplicationContext(TestR4Config.class);
    var storage = spring.getBean(JpaStorageSettings.class);
    // The records refer to practitioners and organizations that are not among them.
    storage.setEnforceReferentialIntegrityOnWrite(false);
    storage.setEnforceReferentialIntegrityOnDelete(false);

    var fhir = new RestfulServer(spring.getBean(FhirContext.class));
    fhir.registerProviders(spring.getBean(ResourceProviderFactory.class).createProviders());
    fhir.registerProvider(spring.getBean(JpaSystemProvider.class));
    fhir.setPagingProvider(spring.getBean(DatabaseBackedPagingProvider.class));

    var context = new ServletContextHandler();
    context.addServlet(new ServletHolder(fhir), "/fhir/*");
    var jetty = new Server(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])));
    jetty.setHandler(context);
    jetty.start();
    jetty.join();
  }
}
