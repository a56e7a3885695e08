package org.coloan.bank.centre;

import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import javax.net.ssl.X509TrustManager;
import org.coloan.bank.key.Party;

/**
 * Trusts one party: whose certificate the scheme's CA signed, and whose only URI name says so ([COL-TLS-003],
 * [COL-TLS-005]). CN and host names are not looked at. The JDK's own manager checks the chain; the methods
 * that are handed an engine or a socket, in which it would look for a host name, lead to those without.
 */
final class PeerTrustManager extends X509ExtendedTrustManager {
    private static final int SAN_URI = 6; // GeneralName of RFC 5280

    private final X509TrustManager chain;
    private final String uri;

    private PeerTrustManager(X509TrustManager chain, String party) {
        this.chain = chain;
        this.uri = Party.uri(party);
    }

    static PeerTrustManager of(Path ca, String party) throws IOException, GeneralSecurityException {
        KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
        roots.load(null, null);
        try (InputStream pem = Files.newInputStream(ca)) {
            for (Certificate root : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                roots.setCertificateEntry("root-" + roots.size(), root);
            }
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(roots);
        for (TrustManager manager : factory.getTrustManagers()) {
            if (manager instanceof X509TrustManager chain) {
                return new PeerTrustManager(chain, party);
            }
        }
        throw new GeneralSecurityException("this Java checks no certificate chains");
    }

    static boolean names(X509Certificate certificate, String uri) throws CertificateException {
        Collection<List<?>> names = certificate.getSubjectAlternativeNames();
        if (names == null) {
            return false;
        }
        List<?> uris = names.stream()
                .filter(name -> name.get(0).equals(SAN_URI))
                .map(name -> name.get(1))
                .toList();
        return uris.equals(List.of(uri));
    }

    private void checkName(X509Certificate[] certificates) throws CertificateException {
        if (!names(certificates[0], uri)) {
            throw new CertificateException("the certificate does not name " + uri);
        }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType) throws CertificateException {
        chain.checkServerTrusted(certificates, authType);
        checkName(certificates);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType) throws CertificateException {
        chain.checkClientTrusted(certificates, authType);
        checkName(certificates);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType, SSLEngine engine)
            throws CertificateException {
        checkServerTrusted(certificates, authType);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType, SSLEngine engine)
            throws CertificateException {
        checkClientTrusted(certificates, authType);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] certificates, String authType, Socket socket)
            throws CertificateException {
        checkServerTrusted(certificates, authType);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] certificates, String authType, Socket socket)
            throws CertificateException {
        checkClientTrusted(certificates, authType);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return chain.getAcceptedIssuers();
    }
}
