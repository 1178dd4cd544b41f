import java.io.File;
import java.io.FileInputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.Logger;

/** Finds calls that an API level lacks: SIGNATURE IGNORED_PACKAGES CLASSES... */
public final class ApiLevel {
    /** What d8 replaces by code of its own where the phone lacks it; seen in the dex that it makes for API 24. */
    private static final List<String> BACKPORTED = Arrays.asList("String Long.toUnsignedString(long)");

    private static final class Complaints implements Logger {
        private boolean any;

        @Override
        public void error(String message) {
            if (BACKPORTED.stream().noneMatch(call -> message.endsWith("Undefined reference: " + call))) {
                any = true;
                System.err.println(message);
            }
        }

        @Override
        public void error(String message, Throwable cause) {
            error(message + ": " + cause);
        }

        @Override
        public void warn(String message) {
            System.err.println(message);
        }

        @Override
        public void warn(String message, Throwable cause) {
            warn(message + ": " + cause);
        }

        @Override
        public void info(String message) {}

        @Override
        public void info(String message, Throwable cause) {}

        @Override
        public void debug(String message) {}

        @Override
        public void debug(String message, Throwable cause) {}
    }

    public static void main(String[] words) throws Exception {
        HashSet<String> ignored = new HashSet<>(Arrays.asList(words[1].split(",")));
        Complaints complaints = new Complaints();
        try (FileInputStream signature = new FileInputStream(words[0])) {
            SignatureChecker checker = new SignatureChecker(signature, ignored, complaints);
            checker.setSourcePath(new ArrayList<>()); // it is null by default and then looked into
            // Classes that are reached behind a version check alone; the annotation is the framework's own.
            checker.setAnnotationTypes(Arrays.asList("android.annotation.TargetApi"));
            for (String classes : Arrays.asList(words).subList(2, words.length)) {
                checker.process(new File(classes));
            }
        }
        System.exit(complaints.any ? 1 : 0);
    }
}
