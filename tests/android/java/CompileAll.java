import java.util.ArrayList;
import java.util.List;
import org.jetbrains.kotlin.cli.common.ExitCode;
import org.jetbrains.kotlin.cli.jvm.K2JVMCompiler;

/** Runs the Kotlin compiler on several units in one JVM: the arguments of each, separated by "--". */
public final class CompileAll {
    public static void main(String[] words) {
        List<String> unit = new ArrayList<>();
        for (int i = 0; i <= words.length; i++) {
            if (i < words.length && !words[i].equals("--")) {
                unit.add(words[i]);
                continue;
            }
            if (new K2JVMCompiler().exec(System.err, unit.toArray(new String[0])) != ExitCode.OK) {
                System.exit(1);
            }
            System.out.println("compiled " + unit.get(unit.indexOf("-module-name") + 1));
            unit.clear();
        }
        System.exit(0); // the compiler leaves threads behind
    }
}
