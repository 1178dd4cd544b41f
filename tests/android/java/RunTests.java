import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.Result;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/**
 * Runs JUnit classes; prints failures and then "N tests, M failed". A class without tests is a failure.
 *
 * A test that skips itself is one too, unless the property check.skips is true: then at least one has to.
 */
public final class RunTests {
    public static void main(String[] names) throws Exception {
        Class<?>[] classes = new Class<?>[names.length];
        for (int i = 0; i < names.length; i++) {
            classes[i] = Class.forName(names[i]);
        }
        JUnitCore core = new JUnitCore();
        boolean skips = Boolean.getBoolean("check.skips");
        boolean slow = Boolean.getBoolean("check.times");
        core.addListener(new RunListener() {
            private long started;

            @Override
            public void testStarted(Description test) {
                started = System.nanoTime();
            }

            @Override
            public void testFinished(Description test) {
                if (slow) {
                    System.out.printf("%6.2f s  %s%n", (System.nanoTime() - started) / 1e9, test.getDisplayName());
                }
            }

            @Override
            public void testFailure(Failure failure) {
                System.out.println("FAILED " + failure.getTestHeader() + "\n" + failure.getTrimmedTrace());
            }

            @Override
            public void testAssumptionFailure(Failure failure) {
                if (!skips) {
                    System.out.println("SKIPPED " + failure.getTestHeader() + ": " + failure.getMessage());
                }
            }
        });
        Result result = core.run(classes);
        long skipped = result.getAssumptionFailureCount();
        String note = skipped > 0 ? ", " + skipped + " skipped" : "";
        System.out.println(result.getRunCount() + " tests, " + result.getFailureCount() + " failed" + note);
        boolean good = result.wasSuccessful() && result.getRunCount() > 0 && skipped > 0 == skips;
        System.exit(good ? 0 : 1);
    }
}
