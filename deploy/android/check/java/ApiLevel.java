import java.io.File;
import java.io.FileInputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.PrintWriterLogger;

/** Finds calls that an API level lacks: SIGNATURE IGNORED_PACKAGES CLASSES... */
public final class ApiLevel {
    public static void main(String[] words) throws Exception {
        HashSet<String> ignored = new HashSet<>(Arrays.asList(words[1].split(",")));
        try (FileInputStream signature = new FileInputStream(words[0])) {
            SignatureChecker checker = new SignatureChecker(signature, ignored, new PrintWriterLogger(System.err));
            checker.setSourcePath(new ArrayList<>()); // it is null by default and then looked into
            for (String classes : Arrays.asList(words).subList(2, words.length)) {
                checker.process(new File(classes));
            }
            System.exit(checker.isSignatureBroken() ? 1 : 0);
        }
    }
}
