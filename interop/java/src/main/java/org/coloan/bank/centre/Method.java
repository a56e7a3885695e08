package org.coloan.bank.centre;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.coloan.v1.*;

/**
 * What a bank may call (chapter 6): the body that a method takes and the one it gives. Both travel in
 * envelopes, which gRPC carries as the bytes they are: a generated stub would decode them before anybody
 * could scan them.
 */
public record Method<Q extends Message, R extends Message>(String name, Q request, R reply) {
    private static final String JOINT = "coloan.v1.JointApproval/";
    private static final String DIRECTORY = "coloan.v1.Directory/";

    public static final String DELIVER = JOINT + "Deliver";
    public static final String NOTIFY = "coloan.v1.BankInbox/Notify";

    public static final Method<Application, ApplicationReceipt> SUBMIT_APPLICATION = new Method<>(
            JOINT + "SubmitApplication", Application.getDefaultInstance(), ApplicationReceipt.getDefaultInstance());
    public static final Method<ApplicationQuery, ApplicationView> GET_APPLICATION = new Method<>(
            JOINT + "GetApplication", ApplicationQuery.getDefaultInstance(), ApplicationView.getDefaultInstance());
    public static final Method<ApplicationListQuery, ApplicationList> LIST_APPLICATIONS = new Method<>(
            JOINT + "ListApplications",
            ApplicationListQuery.getDefaultInstance(),
            ApplicationList.getDefaultInstance());
    public static final Method<VerificationReport, ApplicationStatus> REPORT_VERIFICATIONS = new Method<>(
            JOINT + "ReportVerifications",
            VerificationReport.getDefaultInstance(),
            ApplicationStatus.getDefaultInstance());
    public static final Method<VerificationQuery, VerificationAnswer> QUERY_VERIFICATIONS = new Method<>(
            JOINT + "QueryVerifications",
            VerificationQuery.getDefaultInstance(),
            VerificationAnswer.getDefaultInstance());
    public static final Method<BankDecision, JointOutcome> REPORT_BANK_DECISION = new Method<>(
            JOINT + "ReportBankDecision", BankDecision.getDefaultInstance(), JointOutcome.getDefaultInstance());
    public static final Method<Application, ApplicationStatus> SUPPLEMENT_APPLICATION = new Method<>(
            JOINT + "SupplementApplication", Application.getDefaultInstance(), ApplicationStatus.getDefaultInstance());
    public static final Method<Withdrawal, ApplicationStatus> WITHDRAW_APPLICATION = new Method<>(
            JOINT + "WithdrawApplication", Withdrawal.getDefaultInstance(), ApplicationStatus.getDefaultInstance());
    public static final Method<OfferConfirmation, ApplicationStatus> CONFIRM_OFFER = new Method<>(
            JOINT + "ConfirmOffer", OfferConfirmation.getDefaultInstance(), ApplicationStatus.getDefaultInstance());
    public static final Method<RuleChoice, ApplicationStatus> CHOOSE_RULES = new Method<>(
            JOINT + "ChooseRules", RuleChoice.getDefaultInstance(), ApplicationStatus.getDefaultInstance());
    public static final Method<ConsentWithdrawal, ApplicationStatus> WITHDRAW_CONSENT = new Method<>(
            JOINT + "WithdrawConsent", ConsentWithdrawal.getDefaultInstance(), ApplicationStatus.getDefaultInstance());
    public static final Method<Milestone, ApplicationStatus> REPORT_MILESTONE = new Method<>(
            JOINT + "ReportMilestone", Milestone.getDefaultInstance(), ApplicationStatus.getDefaultInstance());
    public static final Method<Ack, EventState> ACKNOWLEDGE_EVENT =
            new Method<>(JOINT + "AcknowledgeEvent", Ack.getDefaultInstance(), EventState.getDefaultInstance());
    public static final Method<EventListQuery, EventList> LIST_EVENTS =
            new Method<>(JOINT + "ListEvents", EventListQuery.getDefaultInstance(), EventList.getDefaultInstance());
    public static final Method<EventQuery, EventView> GET_EVENT =
            new Method<>(JOINT + "GetEvent", EventQuery.getDefaultInstance(), EventView.getDefaultInstance());
    public static final Method<EventSteering, EventList> STEER_EVENTS =
            new Method<>(JOINT + "SteerEvents", EventSteering.getDefaultInstance(), EventList.getDefaultInstance());
    public static final Method<ReconcileQuery, ReconcileAnswer> RECONCILE = new Method<>(
            JOINT + "Reconcile", ReconcileQuery.getDefaultInstance(), ReconcileAnswer.getDefaultInstance());
    public static final Method<KeysQuery, KeysAnswer> GET_KEYS =
            new Method<>(DIRECTORY + "GetKeys", KeysQuery.getDefaultInstance(), KeysAnswer.getDefaultInstance());
    public static final Method<KeyRotation, KeyRotationReceipt> ROTATE_KEY = new Method<>(
            DIRECTORY + "RotateKey", KeyRotation.getDefaultInstance(), KeyRotationReceipt.getDefaultInstance());
    public static final Method<CapabilitiesQuery, Capabilities> GET_CAPABILITIES = new Method<>(
            DIRECTORY + "GetCapabilities", CapabilitiesQuery.getDefaultInstance(), Capabilities.getDefaultInstance());

    /** Those that change something, by the names that a journal keeps. */
    private static final Map<String, Method<?, ?>> BY_NAME = Stream.of(
                    SUBMIT_APPLICATION,
                    REPORT_VERIFICATIONS,
                    REPORT_BANK_DECISION,
                    SUPPLEMENT_APPLICATION,
                    WITHDRAW_APPLICATION,
                    CONFIRM_OFFER,
                    CHOOSE_RULES,
                    WITHDRAW_CONSENT,
                    REPORT_MILESTONE,
                    ACKNOWLEDGE_EVENT,
                    STEER_EVENTS,
                    ROTATE_KEY)
            .collect(Collectors.toMap(Method::name, Function.identity()));

    public static Method<?, ?> named(String name) {
        return Optional.ofNullable(BY_NAME.get(name)).orElseThrow();
    }

    public MethodDescriptor<ByteString, ByteString> descriptor() {
        return descriptor(name, MethodType.UNARY);
    }

    public static MethodDescriptor<ByteString, ByteString> descriptor(String name, MethodType type) {
        return MethodDescriptor.<ByteString, ByteString>newBuilder()
                .setType(type)
                .setFullMethodName(name)
                .setRequestMarshaller(new Bytes())
                .setResponseMarshaller(new Bytes())
                .build();
    }

    private static final class Bytes implements MethodDescriptor.Marshaller<ByteString> {
        @Override
        public InputStream stream(ByteString bytes) {
            return bytes.newInput();
        }

        @Override
        public ByteString parse(InputStream stream) {
            try {
                return ByteString.readFrom(stream);
            } catch (IOException broken) {
                throw new UncheckedIOException(broken);
            }
        }
    }
}
