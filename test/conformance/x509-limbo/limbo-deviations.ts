// Cases that we see otherwise than x509-limbo, and why we may. None takes a certificate for a name that its authorities may not certify.

import type { Deviations } from '../suite.ts';

export const limboDeviations: readonly Deviations[] = [
  {
    reason:
      'how a certificate has to be written, which changes nothing of what it proves: identifiers of keys, critical or not, empty or odd names',
    cases: [
      'rfc5280::aki::leaf-missing-aki',
      'rfc5280::aki::intermediate-missing-aki',
      'rfc5280::ski::intermediate-missing-ski',
      'rfc5280::pc::ica-noncritical-pc',
      'rfc5280::san::noncritical-with-empty-subject',
      'rfc5280::san::underscore-dns',
      'rfc5280::ca-empty-subject',
      'webpki::san::san-critical-with-nonempty-subject',
      'webpki::malformed-aia',
    ],
  },
  {
    reason:
      'name constraints are kept as they stand: not critical, with a leading period, or in a leaf, where they constrain nobody',
    cases: [
      'rfc5280::nc::permitted-dns-match-noncritical',
      'rfc5280::nc::invalid-dnsname-leading-period',
      'rfc5280::nc::not-allowed-in-ee-noncritical',
      'rfc5280::nc::not-allowed-in-ee-critical',
    ],
  },
  {
    reason:
      'the runtime looks for no other chain once one breaks a constraint: refused, though another would do',
    cases: ['rfc5280::nc::nc-forbids-alternate-chain-ica', 'rfc5280::nc::nc-forbids-same-chain-ica'],
  },
  {
    reason:
      'a trusted certificate is trusted as it is: what it says of itself is for the operator who chose it',
    cases: [
      'rfc5280::ski::root-missing-ski',
      'rfc5280::root-missing-basic-constraints',
      'rfc5280::root-non-critical-basic-constraints',
      'webpki::aki::root-with-aki-missing-keyidentifier',
      'webpki::aki::root-with-aki-authoritycertissuer',
      'webpki::aki::root-with-aki-authoritycertserialnumber',
      'webpki::aki::root-with-aki-all-fields',
      'webpki::aki::root-with-aki-ski-mismatch',
      'webpki::forbidden-dsa-root',
      'webpki::forbidden-rsa-not-divisible-by-8-in-root',
    ],
  },
  {
    reason: 'the common name never counts (RFC 9525 §2), and so does not have to be among the names',
    cases: [
      'webpki::cn::punycode-not-in-san',
      'webpki::cn::utf8-vs-punycode-mismatch',
      'webpki::cn::not-in-san',
      'webpki::cn::case-mismatch',
    ],
  },
  {
    reason:
      'an authority as a server is the runtime’s to judge: taken where its usages let it serve, else refused',
    cases: [
      'pathlen::validation-ignores-pathlen-in-leaf',
      'rfc5280::ca-as-leaf',
      'rfc5280::leaf-ku-keycertsign',
      'webpki::ee-basicconstraints-ca',
    ],
  },
];
