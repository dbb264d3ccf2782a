// Publish one event: java Publish.java event.json.  A JDK from 11 on, nothing to install.
//
// CARE_URL is the door, CARE_KEY the key where it asks for one.  Exit codes: 0 accepted, 1 refused (do not send
// it again unchanged), 75 no answer that settles it (send the same file again later: the id is in it).

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

public class Publish {
    static final double LONGEST_SECONDS = 60;

    final String url = setting("CARE_URL", "http://127.0.0.1:8080").replaceAll("/+$", "") + "/v1/events";
    final String key = setting("CARE_KEY", "");
    final int attempts = Integer.parseInt(setting("CARE_ATTEMPTS", "10"));
    final double backoffSeconds = Double.parseDouble(setting("CARE_BACKOFF_SECONDS", "0.5"));
    final double timeoutSeconds = Double.parseDouble(setting("CARE_TIMEOUT_SECONDS", "15"));
    // HTTP/1.1: nothing is to be upgraded for one event.
    final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 1) {
            System.err.println("usage: java Publish.java event.json");
            System.exit(2);
        }
        System.exit(new Publish().publish(Files.readAllBytes(Path.of(arguments[0]))));
    }

    /** Sends until it is settled; what is sent again is the same, under the same id. */
    int publish(byte[] body) throws InterruptedException {
        String last = "";
        for (int attempt = 0; attempt < attempts; attempt++) {
            double wait = 0;
            try {
                HttpResponse<String> answer = client.send(request(body), HttpResponse.BodyHandlers.ofString());
                int status = answer.statusCode();
                last = String.valueOf(status);
                if (status >= 200 && status < 300) {
                    System.out.println(answer.body());
                    return 0;
                }
                if (status >= 400 && status < 500 && status != 408 && status != 429) {
                    System.err.println("refused (" + status + "): " + answer.body());
                    return 1;
                }
                String asked = answer.headers().firstValue("retry-after").orElse("");
                wait = asked.matches("\\d{1,9}") ? Double.parseDouble(asked) : 0;
            } catch (IOException error) {
                // Refused, timed out, or broken off: it may have been taken.
                last = error.getClass().getSimpleName();
            }
            if (attempt + 1 < attempts) {
                Thread.sleep((long) (1000 * pause(attempt, wait)));
            }
        }
        System.err.println("not settled after " + attempts + " attempts (" + last + ")");
        return 75;
    }

    /** As long as it asks for, and a little by chance: publishers must not come back all at once. */
    double pause(int attempt, double wait) {
        double backoff = Math.min(backoffSeconds * Math.pow(2, attempt), LONGEST_SECONDS);
        return Math.min(wait, LONGEST_SECONDS) + backoff * ThreadLocalRandom.current().nextDouble();
    }

    HttpRequest request(byte[] body) {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(url))
            .timeout(Duration.ofMillis((long) (1000 * timeoutSeconds)))
            .header("content-type", "application/cloudevents+json")
            .POST(HttpRequest.BodyPublishers.ofByteArray(body));
        return key.isEmpty() ? builder.build() : builder.header("authorization", "Bearer " + key).build();
    }

    static String setting(String name, String otherwise) {
        String found = System.getenv(name);
        return found == null || found.isEmpty() ? otherwise : found;
    }
}
