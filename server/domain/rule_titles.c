#include "server/domain/rule_titles.h"

#include <stddef.h>
#include <string.h>

static const struct rule_title titles[] = {
    {"identity.id_number", "ID number well-formed", "身份号码格式"},
    {"identity.match", "name and ID number belong together", "姓名与身份号码一致"},
    {"identity.face", "face check", "人脸核验"},
    {"identity.document", "ID document in force", "身份证件有效"},
    {"marriage.declared", "marital status as registered", "婚姻状况与登记一致"},
    {"marriage.pair", "married to each other", "双方互为配偶"},
    {"contribution.offsite", "contribution at another centre", "异地缴存核验"},
    {"contribution.centre", "contributors of other centres", "受理异地缴存职工"},
    {"contribution.months", "continuous contribution", "连续足额缴存"},
    {"contribution.account", "contribution account in use", "缴存账户状态"},
    {"loans.unsettled", "no unsettled fund loan", "无未结清公积金贷款"},
    {"fraud.ban", "no ban after fraud", "无骗提骗贷限制"},
    {"credit.current", "no debt overdue now", "无当前逾期"},
    {"credit.overdue", "overdue months of late", "近期逾期次数"},
    {"credit.bank", "the bank's credit conclusion", "银行征信结论"},
    {"court.list", "not on the court's list", "未列入失信被执行人"},
    {"employer.active", "employer registered", "工作单位存续"},
    {"consent.in_force", "authorisations in force", "授权有效"},
    {"age.of_age", "borrower of age", "借款人已成年"},
    {"age.retirement", "retirement age known", "法定退休年龄"},
    {"co_borrower.allowed", "borrowing across generations", "代际互助"},
    {"loans.count", "number of fund loans", "公积金贷款次数"},
    {"credit.mortgages", "commercial mortgages not settled", "未结清商贷笔数"},
    {"home.count", "homes owned", "家庭住房套数"},
    {"home.contract", "contract as filed", "购房合同备案一致"},
    {"home.appraisal", "appraisal of a second-hand home", "二手房评估"},
    {"home.project", "project admitted", "楼盘准入"},
    {"home.seizure", "not seized or disputed", "无查封或异议"},
    {"home.mortgage", "mortgage to be released", "现有抵押"},
    {"home.price", "price plausible", "房价合理性"},
    {"home.presale", "money after completion filing", "竣工备案后放款"},
    {"home.building", "green, improved, trade-in, voucher", "绿色建筑、改善、以旧换新、房票"},
    {"account.owner", "repayment account", "还款账户"},
    {"family.minors", "minor children", "未成年子女"},
    {"income.verified", "income verified", "收入核实"},
    {"term.fund", "term of the fund part", "公积金期限"},
    {"term.commercial", "term of the commercial part", "商贷期限"},
    {"rate.tier", "rate tier", "利率档次"},
    {"fund.cap", "the cap", "最高额度"},
    {"fund.price_ratio", "share of the price", "房价成数"},
    {"fund.balance_multiple", "multiple of the balance", "账户余额倍数"},
    {"fund.repayment_capacity", "repayment capacity", "还款能力"},
    {"fund.request", "what was asked for", "申请金额"},
    {"joint.housing", "housing payments of income", "房产支出收入比"},
    {"joint.debts", "all debts of income", "全部债务收入比"},
    {"joint.remedy", "how the ratios are made to hold", "负担比例调整"},
    {"subsidy.interest", "interest subsidy", "贴息"},
};

const struct rule_title *rule_title_find(const char *rule)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (strcmp(titles[i].rule, rule) == 0) {
            return &titles[i];
        }
    }
    return NULL;
}
