// The services (chapter 6): what each method takes and gives.
const JOINT = 'coloan.v1.JointApproval/';
const DIRECTORY = 'coloan.v1.Directory/';

export const METHODS = {
  SubmitApplication: { name: `${JOINT}SubmitApplication`, request: 'Application', reply: 'ApplicationReceipt' },
  GetApplication: { name: `${JOINT}GetApplication`, request: 'ApplicationQuery', reply: 'ApplicationView' },
  ListApplications: { name: `${JOINT}ListApplications`, request: 'ApplicationListQuery', reply: 'ApplicationList' },
  ReportVerifications: { name: `${JOINT}ReportVerifications`, request: 'VerificationReport', reply: 'ApplicationStatus' },
  QueryVerifications: { name: `${JOINT}QueryVerifications`, request: 'VerificationQuery', reply: 'VerificationAnswer' },
  ReportBankDecision: { name: `${JOINT}ReportBankDecision`, request: 'BankDecision', reply: 'JointOutcome' },
  WithdrawConsent: { name: `${JOINT}WithdrawConsent`, request: 'ConsentWithdrawal', reply: 'ApplicationStatus' },
  GetKeys: { name: `${DIRECTORY}GetKeys`, request: 'KeysQuery', reply: 'KeysAnswer' },
  RotateKey: { name: `${DIRECTORY}RotateKey`, request: 'KeyRotation', reply: 'KeyRotationReceipt' },
  GetCapabilities: { name: `${DIRECTORY}GetCapabilities`, request: 'CapabilitiesQuery', reply: 'Capabilities' },
};

export const DELIVER = `${JOINT}Deliver`;
