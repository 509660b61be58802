// Shapes of secrets that services give out: how they begin, and what follows. The facts (beginnings, alphabets, lengths) are those of the
// rules of gitleaks (https://github.com/gitleaks/gitleaks, config/gitleaks.toml at 009e025a; MIT, Copyright (c) 2019 Zachary Rice), of
// those rules alone that are told by a beginning of their own. docs/decisions/leaks.md says which are not here, and why.

/** Alphabets of what follows a beginning. */
export const alphabets = {
  hex: 'abcdefABCDEF0123456789',
  letters: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ',
  base32: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567',
  bech32: 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L',
  alphanumeric: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  base64url: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_',
  base64: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/',
  dotted: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.',
  /** Base64 in lines, and the line ends as JSON writes them. */
  pem: 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=\r\n \\:,-',
} as const;

export interface KnownShape {
  readonly name: string;
  readonly starts: readonly string[];
  readonly alphabet: keyof typeof alphabets;
  /** How many octets of the alphabet follow, at least. */
  readonly count: number;
  /** The beginning alone says little: it counts only where no letter or digit is before it. */
  readonly standsAlone?: true;
}

const alone = { standsAlone: true } as const;
const pemKinds = ['', 'RSA ', 'EC ', 'DSA ', 'OPENSSH ', 'ENCRYPTED '];

export const knownShapes: readonly KnownShape[] = [
  { name: '1password-service-account-token', starts: ['ops_eyJ'], alphabet: 'base64', count: 250 },
  { name: 'adobe-client-secret', starts: ['p8e-'], alphabet: 'alphanumeric', count: 32, ...alone },
  { name: 'age-secret-key', starts: ['AGE-SECRET-KEY-1'], alphabet: 'bech32', count: 58 },
  { name: 'alibaba-access-key-id', starts: ['LTAI'], alphabet: 'alphanumeric', count: 20, ...alone },
  {
    name: 'anthropic-api-key',
    starts: ['sk-ant-api03-', 'sk-ant-admin01-'],
    alphabet: 'base64url',
    count: 93,
  },
  { name: 'artifactory-api-key', starts: ['AKCp'], alphabet: 'alphanumeric', count: 69, ...alone },
  { name: 'artifactory-reference-token', starts: ['cmVmd'], alphabet: 'alphanumeric', count: 59, ...alone },
  { name: 'atlassian-api-token', starts: ['ATATT3'], alphabet: 'dotted', count: 186, ...alone },
  {
    name: 'aws-access-key-id',
    starts: ['AKIA', 'ASIA', 'ABIA', 'ACCA'],
    alphabet: 'base32',
    count: 16,
    ...alone,
  },
  { name: 'aws-bedrock-api-key', starts: ['ABSK'], alphabet: 'base64', count: 109, ...alone },
  { name: 'clojars-api-token', starts: ['CLOJARS_'], alphabet: 'alphanumeric', count: 60 },
  { name: 'databricks-api-token', starts: ['dapi'], alphabet: 'hex', count: 32, ...alone },
  { name: 'digitalocean-token', starts: ['dop_v1_', 'doo_v1_', 'dor_v1_'], alphabet: 'hex', count: 64 },
  { name: 'doppler-api-token', starts: ['dp.pt.'], alphabet: 'alphanumeric', count: 43 },
  { name: 'duffel-api-token', starts: ['duffel_test_', 'duffel_live_'], alphabet: 'dotted', count: 43 },
  { name: 'dynatrace-api-token', starts: ['dt0c01.'], alphabet: 'alphanumeric', count: 24 },
  { name: 'easypost-api-token', starts: ['EZAK', 'EZTK'], alphabet: 'alphanumeric', count: 54, ...alone },
  { name: 'flyio-access-token', starts: ['fo1_'], alphabet: 'base64url', count: 43, ...alone },
  { name: 'frameio-api-token', starts: ['fio-u-'], alphabet: 'dotted', count: 64 },
  { name: 'gcp-api-key', starts: ['AIza'], alphabet: 'base64url', count: 35, ...alone },
  {
    name: 'github-token',
    starts: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'],
    alphabet: 'alphanumeric',
    count: 36,
  },
  { name: 'github-fine-grained-token', starts: ['github_pat_'], alphabet: 'base64url', count: 82 },
  {
    name: 'gitlab-token',
    starts: ['glpat-', 'gldt-', 'glft-', 'glffct-', 'glimt-', 'glagent-', 'gloas-', 'glrt-', 'glsoat-'],
    alphabet: 'base64url',
    count: 20,
  },
  { name: 'gitlab-trigger-token', starts: ['glptt-'], alphabet: 'hex', count: 40 },
  { name: 'gitlab-runner-token', starts: ['GR1348941'], alphabet: 'base64url', count: 20, ...alone },
  { name: 'grafana-cloud-token', starts: ['glc_'], alphabet: 'base64', count: 32, ...alone },
  { name: 'grafana-service-account-token', starts: ['glsa_'], alphabet: 'alphanumeric', count: 32 },
  { name: 'heroku-api-key', starts: ['HRKU-AA'], alphabet: 'base64url', count: 58 },
  { name: 'huggingface-token', starts: ['hf_', 'api_org_'], alphabet: 'letters', count: 34, ...alone },
  { name: 'infracost-api-token', starts: ['ico-'], alphabet: 'alphanumeric', count: 32, ...alone },
  { name: 'linear-api-key', starts: ['lin_api_'], alphabet: 'alphanumeric', count: 40 },
  { name: 'notion-api-token', starts: ['ntn_'], alphabet: 'alphanumeric', count: 46, ...alone },
  { name: 'npm-access-token', starts: ['npm_'], alphabet: 'alphanumeric', count: 36, ...alone },
  {
    name: 'openai-api-key',
    starts: ['sk-proj-', 'sk-svcacct-', 'sk-admin-'],
    alphabet: 'base64url',
    count: 124,
  },
  { name: 'openshift-user-token', starts: ['sha256~'], alphabet: 'base64url', count: 43 },
  { name: 'perplexity-api-key', starts: ['pplx-'], alphabet: 'alphanumeric', count: 48 },
  {
    name: 'planetscale-secret',
    starts: ['pscale_tkn_', 'pscale_oauth_', 'pscale_pw_'],
    alphabet: 'dotted',
    count: 32,
  },
  { name: 'postman-api-token', starts: ['PMAK-'], alphabet: 'hex', count: 24 },
  { name: 'prefect-api-token', starts: ['pnu_'], alphabet: 'alphanumeric', count: 36, ...alone },
  {
    name: 'private-key',
    starts: [
      ...pemKinds.map((kind) => `-----BEGIN ${kind}PRIVATE KEY-----`),
      '-----BEGIN PGP PRIVATE KEY BLOCK-----',
    ],
    alphabet: 'pem',
    count: 64,
  },
  { name: 'pulumi-api-token', starts: ['pul-'], alphabet: 'hex', count: 40, ...alone },
  { name: 'pypi-upload-token', starts: ['pypi-AgEIcHlwaS5vcmc'], alphabet: 'base64url', count: 50 },
  { name: 'readme-api-token', starts: ['rdme_'], alphabet: 'alphanumeric', count: 70 },
  { name: 'rubygems-api-token', starts: ['rubygems_'], alphabet: 'hex', count: 48 },
  { name: 'scalingo-api-token', starts: ['tk-us-'], alphabet: 'base64url', count: 48 },
  { name: 'sendgrid-api-token', starts: ['SG.'], alphabet: 'dotted', count: 66, ...alone },
  { name: 'sendinblue-api-token', starts: ['xkeysib-'], alphabet: 'hex', count: 64 },
  { name: 'sentry-org-token', starts: ['sntrys_eyJpYXQiO'], alphabet: 'base64', count: 20 },
  { name: 'sentry-user-token', starts: ['sntryu_'], alphabet: 'hex', count: 64 },
  { name: 'shippo-api-token', starts: ['shippo_live_', 'shippo_test_'], alphabet: 'hex', count: 40 },
  { name: 'shopify-token', starts: ['shpat_', 'shpca_', 'shppa_', 'shpss_'], alphabet: 'hex', count: 32 },
  {
    name: 'slack-token',
    starts: ['xoxa-', 'xoxb-', 'xoxe-', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-', 'xapp-'],
    alphabet: 'base64url',
    count: 24,
    ...alone,
  },
  {
    name: 'slack-webhook',
    starts: ['hooks.slack.com/services/', 'hooks.slack.com/workflows/', 'hooks.slack.com/triggers/'],
    alphabet: 'base64',
    count: 43,
  },
  { name: 'square-access-token', starts: ['sq0atp-'], alphabet: 'base64url', count: 22 },
  {
    name: 'stripe-secret-key',
    starts: ['sk_live_', 'sk_test_', 'sk_prod_', 'rk_live_', 'rk_test_', 'rk_prod_'],
    alphabet: 'alphanumeric',
    count: 24,
  },
  { name: 'twilio-api-key', starts: ['SK'], alphabet: 'hex', count: 32, ...alone },
  { name: 'vault-service-token', starts: ['hvs.'], alphabet: 'base64url', count: 90, ...alone },
  { name: 'vault-batch-token', starts: ['hvb.'], alphabet: 'base64url', count: 138, ...alone },
];
