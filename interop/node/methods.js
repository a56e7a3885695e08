// The services (chapter 6): what each method takes and gives.
const JOINT = 'coloan.v1.JointApproval/';
const REVIEW = 'coloan.v1.Review/';
const DIRECTORY = 'coloan.v1.Directory/';

export const METHODS = {
  SubmitApplication: { name: `${JOINT}SubmitApplication`, request: 'Application', reply: 'ApplicationReceipt' },
  GetApplication: { name: `${JOINT}GetApplication`, request: 'ApplicationQuery', reply: 'ApplicationView' },
  ListApplications: { name: `${JOINT}ListApplications`, request: 'ApplicationListQuery', reply: 'ApplicationList' },
  ReportVerifications: { name: `${JOINT}ReportVerifications`, request: 'VerificationReport', reply: 'ApplicationStatus' },
  QueryVerifications: { name: `${JOINT}QueryVerifications`, request: 'VerificationQuery', reply: 'VerificationAnswer' },
  ReportBankDecision: { name: `${JOINT}ReportBankDecision`, request: 'BankDecision', reply: 'JointOutcome' },
  SupplementApplication: { name: `${JOINT}SupplementApplication`, request: 'Application', reply: 'ApplicationStatus' },
  ChangeBank: { name: `${JOINT}ChangeBank`, request: 'BankChange', reply: 'ApplicationStatus' },
  WithdrawApplication: { name: `${JOINT}WithdrawApplication`, request: 'Withdrawal', reply: 'ApplicationStatus' },
  ConfirmOffer: { name: `${JOINT}ConfirmOffer`, request: 'OfferConfirmation', reply: 'ApplicationStatus' },
  ChooseRules: { name: `${JOINT}ChooseRules`, request: 'RuleChoice', reply: 'ApplicationStatus' },
  WithdrawConsent: { name: `${JOINT}WithdrawConsent`, request: 'ConsentWithdrawal', reply: 'ApplicationStatus' },
  ReportMilestone: { name: `${JOINT}ReportMilestone`, request: 'Milestone', reply: 'ApplicationStatus' },
  ListEvents: { name: `${JOINT}ListEvents`, request: 'EventListQuery', reply: 'EventList' },
  GetEvent: { name: `${JOINT}GetEvent`, request: 'EventQuery', reply: 'EventView' },
  SteerEvents: { name: `${JOINT}SteerEvents`, request: 'EventSteering', reply: 'EventList' },
  Reconcile: { name: `${JOINT}Reconcile`, request: 'ReconcileQuery', reply: 'ReconcileAnswer' },
  ListTasks: { name: `${REVIEW}ListTasks`, request: 'TaskListQuery', reply: 'TaskList' },
  GetTask: { name: `${REVIEW}GetTask`, request: 'TaskQuery', reply: 'TaskView' },
  ClaimTask: { name: `${REVIEW}ClaimTask`, request: 'TaskClaim', reply: 'Task' },
  ReleaseTask: { name: `${REVIEW}ReleaseTask`, request: 'TaskRelease', reply: 'Task' },
  SettleItem: { name: `${REVIEW}SettleItem`, request: 'ItemSettlement', reply: 'ApplicationStatus' },
  Override: { name: `${REVIEW}Override`, request: 'OverrideRequest', reply: 'ItemOverride' },
  GetDecision: { name: `${REVIEW}GetDecision`, request: 'DecisionQuery', reply: 'DecisionRecord' },
  GetCounters: { name: `${REVIEW}GetCounters`, request: 'CountersQuery', reply: 'Counters' },
  GetKeys: { name: `${DIRECTORY}GetKeys`, request: 'KeysQuery', reply: 'KeysAnswer' },
  RotateKey: { name: `${DIRECTORY}RotateKey`, request: 'KeyRotation', reply: 'KeyRotationReceipt' },
  GetCapabilities: { name: `${DIRECTORY}GetCapabilities`, request: 'CapabilitiesQuery', reply: 'Capabilities' },
};

export const UPLOAD = `${JOINT}UploadDocument`; // a stream of DocumentChunk, answered by one DocumentReceipt
export const DELIVER = `${JOINT}Deliver`;
