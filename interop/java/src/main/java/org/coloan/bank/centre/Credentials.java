package org.coloan.bank.centre;

import io.grpc.ManagedChannel;
import io.grpc.ServerBuilder;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.coloan.bank.wire.Limits;

/** Our certificate, its key (PEM, PKCS#8), and the scheme's CA: mutual TLS 1.3 and nothing older (chapter 2). */
public record Credentials(Path ca, Path certificate, Path privateKey) {
    private static final String TLS = "TLSv1.3";
    private static final Duration KEEPALIVE = Duration.ofMinutes(1);

    /**
     * One connection to {@code peer}, for all calls. It is made with the first call and made anew when it
     * breaks.
     */
    public ManagedChannel connect(String target, String peer) throws IOException, GeneralSecurityException {
        SslContextBuilder tls = GrpcSslContexts.forClient()
                .protocols(TLS)
                .keyManager(certificate.toFile(), privateKey.toFile())
                .trustManager(PeerTrustManager.of(ca, peer));
        return NettyChannelBuilder.forTarget(target)
                .sslContext(tls.build())
                .maxInboundMessageSize(Limits.MESSAGE_BYTES_MAX)
                .maxInboundMetadataSize(Limits.METADATA_BYTES_MAX)
                .keepAliveTime(KEEPALIVE.toSeconds(), TimeUnit.SECONDS)
                .disableRetry() // Centre repeats, and knows when it may
                .build();
    }

    /** A server that lets in {@code peer} alone. */
    public ServerBuilder<?> listen(int port, String peer) throws IOException, GeneralSecurityException {
        SslContextBuilder tls = GrpcSslContexts.configure(
                        SslContextBuilder.forServer(certificate.toFile(), privateKey.toFile()))
                .protocols(TLS)
                .clientAuth(ClientAuth.REQUIRE)
                .trustManager(PeerTrustManager.of(ca, peer));
        return NettyServerBuilder.forPort(port)
                .sslContext(tls.build())
                .maxInboundMessageSize(Limits.MESSAGE_BYTES_MAX)
                .maxInboundMetadataSize(Limits.METADATA_BYTES_MAX);
    }
}
