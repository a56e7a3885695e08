#include "server/api/methods.h"

#include <coloan/v1/directory.pb-c.h>
#include <string.h>

#define CALLER(kind) (1u << (unsigned)CL_PARTY_##kind)
#define REQUEST_OF(name)                                                                                               \
    {                                                                                                                  \
        {                                                                                                              \
            &coloan__v1__##name##__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST                                \
        }                                                                                                              \
    }

static const struct api_method methods[API_METHOD_COUNT] = {
    {.path = "/coloan.v1.JointApproval/SubmitApplication",
     .creates = true,
     .callers = CALLER(BANK) | CALLER(CHANNEL),
     .bodies = REQUEST_OF(application),
     .body_count = 1,
     .reply = &coloan__v1__application_receipt__descriptor,
     .handler = case_submit},
    {.path = "/coloan.v1.JointApproval/GetApplication",
     .reads = true,
     .callers = CALLER(BANK) | CALLER(CHANNEL) | CALLER(OFFICER),
     .bodies = REQUEST_OF(application_query),
     .body_count = 1,
     .reply = &coloan__v1__application_view__descriptor,
     .handler = case_get_application},
    {.path = "/coloan.v1.JointApproval/ListApplications",
     .reads = true,
     .callers = CALLER(BANK) | CALLER(CHANNEL) | CALLER(OFFICER),
     .bodies = REQUEST_OF(application_list_query),
     .body_count = 1,
     .reply = &coloan__v1__application_list__descriptor,
     .handler = case_list_applications},
    {.path = "/coloan.v1.JointApproval/ReportVerifications",
     .needs_application = true,
     .callers = CALLER(BANK),
     .bodies = REQUEST_OF(verification_report),
     .body_count = 1,
     .reply = &coloan__v1__application_status__descriptor,
     .handler = case_report_verifications},
    {.path = "/coloan.v1.JointApproval/QueryVerifications",
     .reads = true,
     .needs_application = true,
     .callers = CALLER(BANK),
     .bodies = REQUEST_OF(verification_query),
     .body_count = 1,
     .reply = &coloan__v1__verification_answer__descriptor,
     .handler = case_query_verifications},
    {.path = "/coloan.v1.JointApproval/ReportBankDecision",
     .needs_application = true,
     .callers = CALLER(BANK),
     .bodies = REQUEST_OF(bank_decision),
     .body_count = 1,
     .reply = &coloan__v1__joint_outcome__descriptor,
     .handler = case_report_bank_decision},
    {.path = "/coloan.v1.JointApproval/WithdrawConsent",
     .needs_application = true,
     .callers = CALLER(BANK) | CALLER(CHANNEL),
     .bodies = REQUEST_OF(consent_withdrawal),
     .body_count = 1,
     .reply = &coloan__v1__application_status__descriptor,
     .handler = case_withdraw_consent},
    {.path = "/coloan.v1.JointApproval/Deliver",
     .way = API_STREAM,
     .callers = CALLER(BANK),
     .bodies = {{&coloan__v1__open__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST},
                {&coloan__v1__ack__descriptor, COLOAN__V1__DIRECTION__DIRECTION_ACK},
                {&coloan__v1__credit__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST}},
     .body_count = 3,
     .handler = case_acknowledge},
    {.path = "/coloan.v1.Directory/GetKeys",
     .way = API_DIRECT,
     .callers = CALLER(BANK) | CALLER(CHANNEL) | CALLER(OFFICER) | CALLER(FUND),
     .bodies = REQUEST_OF(keys_query),
     .body_count = 1,
     .reply = &coloan__v1__keys_answer__descriptor},
    {.path = "/coloan.v1.Directory/RotateKey",
     .callers = CALLER(BANK) | CALLER(CHANNEL) | CALLER(OFFICER) | CALLER(FUND),
     .bodies = REQUEST_OF(key_rotation),
     .body_count = 1,
     .reply = &coloan__v1__key_rotation_receipt__descriptor,
     .handler = case_rotate_key},
    {.path = "/coloan.v1.Directory/GetCapabilities",
     .way = API_DIRECT,
     .callers = CALLER(BANK) | CALLER(CHANNEL) | CALLER(OFFICER) | CALLER(FUND),
     .bodies = REQUEST_OF(capabilities_query),
     .body_count = 1,
     .reply = &coloan__v1__capabilities__descriptor},
};

const struct api_method *api_method_at(size_t index)
{
    return index < API_METHOD_COUNT ? &methods[index] : NULL;
}

const struct api_method *api_method_find(const char *path)
{
    for (size_t i = 0; i < API_METHOD_COUNT; i++) {
        if (strcmp(methods[i].path, path) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}
