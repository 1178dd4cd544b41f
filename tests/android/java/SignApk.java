import com.android.apksig.ApkSigner;
import com.android.apksig.ApkVerifier;
import java.io.File;
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Collections;

/** Signs an APK with the key of a debug keystore and verifies the result: UNSIGNED SIGNED KEYSTORE PASSWORD ALIAS MIN_SDK. */
public final class SignApk {
    public static void main(String[] words) throws Exception {
        File signed = new File(words[1]);
        char[] password = words[3].toCharArray();
        int minSdk = Integer.parseInt(words[5]);
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (FileInputStream stored = new FileInputStream(words[2])) {
            keys.load(stored, password);
        }
        ApkSigner.SignerConfig signer = new ApkSigner.SignerConfig.Builder(
                words[4],
                (PrivateKey) keys.getKey(words[4], password),
                Collections.singletonList((X509Certificate) keys.getCertificate(words[4]))).build();
        // Every version from API 24 on verifies scheme v2; a JAR signature would only slow the installation down.
        new ApkSigner.Builder(Collections.singletonList(signer))
                .setInputApk(new File(words[0]))
                .setOutputApk(signed)
                .setMinSdkVersion(minSdk)
                .setV1SigningEnabled(false)
                .setV2SigningEnabled(true)
                .build()
                .sign();
        ApkVerifier.Result result = new ApkVerifier.Builder(signed).setMinCheckedPlatformVersion(minSdk).build().verify();
        result.getErrors().forEach(System.out::println);
        result.getV2SchemeSigners().forEach(one -> one.getErrors().forEach(System.out::println));
        System.exit(result.isVerified() && result.isVerifiedUsingV2Scheme() ? 0 : 1);
    }
}
