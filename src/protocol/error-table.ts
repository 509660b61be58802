// The closed set of error codes: one table from code to HTTP status, reset code and exit code.

interface ErrorRow {
  /** Status of the HTTP response when the code ends a request that can still get one. */
  readonly http: number;
  /** Number in `refuse`, `reset` and `goaway` frames. Never reused once released. */
  readonly wire: number;
  /** Exit code of a command that ends with this error (sysexits(3) where one fits). */
  readonly exit: number;
  /** Whether the audit calls the end of an exchange a denial: the gateway refused what was asked, and nothing failed. */
  readonly isDenial: boolean;
  /** What it means, for docs/reference/errors.md, which a test compares with this table. */
  readonly meaning: string;
}

const row = (http: number, wire: number, exit: number, meaning: string): ErrorRow => ({
  http,
  wire,
  exit,
  meaning,
  isDenial: false,
});

/** A row of what is refused. */
const denial = (...cells: Parameters<typeof row>): ErrorRow => ({ ...row(...cells), isDenial: true });

/** Every error code of the product. docs/reference/errors.md is checked against this table. */
export const errorTable = {
  internal: row(500, 1, 70, 'A fault of our own. The log has the cause under the same trace id.'),
  usage: row(400, 2, 64, 'The command line is wrong.'),
  config_invalid: row(
    500,
    3,
    78,
    'The configuration or policy file is wrong; the message names file, line and column.',
  ),
  cancelled: row(499, 4, 130, 'The other side went away or the caller cancelled.'),
  shutting_down: row(503, 5, 75, 'The agent or the gateway is draining and takes nothing new.'),
  timeout: row(504, 6, 75, 'A deadline passed; the message names which one.'),
  limit_exceeded: denial(429, 7, 75, 'A named limit was reached; the message names it with its value.'),

  // Tunnel protocol
  frame_malformed: row(400, 20, 76, 'A frame does not follow the wire format.'),
  frame_truncated: row(400, 21, 76, 'A message ended inside a frame.'),
  frame_too_large: row(400, 22, 76, 'A frame is longer than its limit.'),
  frame_unexpected: row(400, 23, 76, 'A frame arrived in a state in which it is not allowed.'),
  flow_control: row(400, 24, 76, 'More data arrived than the window allows, or a window overflowed.'),
  stream_limit: row(429, 25, 75, 'Too many streams are open on the tunnel.'),
  websocket_malformed: row(400, 26, 76, 'The WebSocket peer broke RFC 6455.'),
  websocket_refused: row(502, 27, 76, 'The WebSocket handshake was refused; the message has the status.'),
  tunnel_lost: row(502, 28, 75, 'The connection to the gateway was lost.'),
  resume_unknown: row(
    410,
    89,
    75,
    'The tunnel that the agent wants to resume is not here, or no longer here.',
  ),
  resume_refused: denial(
    409,
    90,
    77,
    'The tunnel does not go on: a proof is missing for this connection, or it is gone forever; the message says which.',
  ),
  peer_unreachable: row(
    503,
    91,
    75,
    'The gateway that has the tunnel cannot be reached now; the agent tries again.',
  ),
  stream_reset: row(502, 29, 75, 'The other side ended the stream abruptly.'),

  // Session
  token_unreadable: row(
    500,
    40,
    77,
    'The token file cannot be read safely; the message says which check failed.',
  ),
  token_malformed: row(401, 41, 77, 'The session token is not a well-formed token.'),
  token_invalid: row(
    401,
    42,
    77,
    'The session token is not acceptable: signature, issuer, audience or algorithm.',
  ),
  token_expired: row(401, 43, 77, 'The session token is expired or not valid yet.'),
  token_reused: row(409, 44, 77, 'The session token was already used for a committed session.'),
  session_unknown: row(401, 45, 77, 'There is no such session, or it ended.'),
  session_revoked: row(403, 46, 77, 'The session was revoked.'),
  proxy_token_needed: row(
    407,
    109,
    77,
    'The proxy listener takes nothing without a proxy token that is good now and from there. The audit has the reason under the same trace id.',
  ),
  proof_invalid: row(401, 47, 77, 'The DPoP proof is missing, wrong, stale or was used before.'),
  access_unknown: row(404, 57, 65, 'There is no such request for access, or its state does not allow this.'),
  hardening_failed: row(500, 48, 77, 'The agent could not harden itself, so the token was not read.'),
  runtime_unsupported: row(
    500,
    58,
    78,
    'The library does not work under this version of Node; the message says what does.',
  ),
  jail_refused: row(500, 56, 77, 'The kernel refuses a layer of the jail that was required.'),
  gateway_unreachable: row(502, 49, 69, 'The gateway cannot be reached.'),
  gateway_untrusted: row(502, 50, 76, 'The certificate of the gateway is not the expected one.'),
  gateway_protocol: row(502, 51, 76, 'The gateway sent something that is not a response.'),
  ca_invalid: row(502, 52, 76, 'The CA response of the gateway is not made of certificates.'),
  trust_unwritable: row(500, 53, 73, 'A trust file cannot be written.'),
  gateway_port_unusable: row(500, 55, 69, 'The gateway cannot listen on its address and port.'),
  relay_port_in_use: row(500, 54, 69, 'Another process has the relay port.'),

  // State of the gateway
  store_unavailable: row(503, 80, 74, 'The store of sessions and audit cannot be opened, read or written.'),
  signing_key_unusable: row(
    500,
    81,
    78,
    'The key that signs session tokens cannot be read safely or is not ours.',
  ),
  identity_unusable: row(
    500,
    93,
    78,
    'The store cannot give the keys and authorities that gateways share, or this gateway has others.',
  ),
  audit_unavailable: row(503, 82, 74, 'The audit cannot be written, so nothing new is served.'),
  issuer_unavailable: row(503, 83, 69, 'The keys of a trusted token issuer cannot be fetched.'),

  // Admin API
  operator_unknown: row(
    401,
    85,
    77,
    'The admin API does not know the caller: the token is missing, wrong or expired.',
  ),
  operator_refused: row(
    403,
    86,
    77,
    'The role of the caller is not enough; the message names the one that is.',
  ),
  operation_unknown: row(404, 87, 64, 'The admin API has no such operation, or nothing with that id.'),
  identity_provider_unavailable: row(
    503,
    92,
    75,
    'The identity provider of the admin API cannot be reached, or something else responds there.',
  ),
  admin_unreachable: row(
    502,
    94,
    69,
    'The admin API that a command asks cannot be reached, or something else responds there.',
  ),
  release_unreachable: row(
    502,
    95,
    69,
    'The place of releases that a command asks cannot be reached, or has no release.',
  ),
  release_untrusted: row(502, 96, 76, 'A release does not have the signature of the key that must sign it.'),
  state_changed: row(
    409,
    88,
    75,
    'It has changed since you read it: its state no longer allows this, or its ETag differs.',
  ),

  // Request path
  request_malformed: denial(400, 60, 65, 'The request breaks HTTP; the message says where.'),
  authority_malformed: denial(400, 61, 65, 'A host or port is not a valid authority.'),
  authority_mismatch: denial(421, 62, 65, 'CONNECT host, SNI and Host do not name the same destination.'),
  policy_denied: denial(403, 63, 77, 'No rule allows the request, or a rule denies it.'),
  question_open: denial(
    403,
    99,
    77,
    'A rule asks a person about the request, and nobody has answered yet; the same request sent again joins the question.',
  ),
  question_denied: denial(403, 100, 77, 'A rule asked a person about the request, and that person said no.'),
  question_impossible: denial(
    403,
    101,
    77,
    'A rule asks a person about the request, and nobody can be asked about it; the message says why.',
  ),
  address_denied: denial(403, 64, 77, 'The name resolves to an address that the rule does not open.'),
  protocol_denied: denial(
    403,
    65,
    77,
    'The bytes are neither TLS nor HTTP and no rule allows raw TCP there, or a client of PostgreSQL, MySQL or Redis sends a message that is not passed on.',
  ),
  name_not_found: row(502, 66, 68, 'The name of the origin does not resolve.'),
  origin_unreachable: row(502, 67, 68, 'The origin refuses the connection or cannot be reached.'),
  exit_unavailable: row(
    502,
    110,
    69,
    'The way out that the rule names cannot be used: a proxy script, an address or an interface.',
  ),
  origin_untrusted: row(502, 68, 76, 'The certificate of the origin does not verify.'),
  origin_malformed: row(502, 69, 76, 'The response of the origin breaks HTTP.'),
  origin_truncated: row(502, 70, 76, 'The origin ended the response before it was complete.'),
  credential_not_granted: denial(
    403,
    118,
    77,
    'The rule puts on a credential that the token of the session does not grant.',
  ),
  credential_unavailable: row(
    502,
    71,
    69,
    'The gateway cannot get the credential of the rule, so it did not send the request.',
  ),
  leak_found: denial(
    403,
    97,
    77,
    'The request holds a secret that must not leave, or cannot be searched for one; the message names it.',
  ),
  response_screened: denial(
    403,
    98,
    77,
    'The response has marks by which its rule blocks it: text in it, the no of a decider, or that nothing could look at it. The message names them.',
  ),
  decider_denied: denial(
    403,
    105,
    77,
    'A decider, a system of the operator that decides about such requests, denied it; the message names it.',
  ),
  decider_unavailable: denial(
    503,
    106,
    75,
    'A decider, a system of the operator that decides about such requests, cannot be asked or was late; the message names it.',
  ),
  package_altered: row(
    502,
    102,
    76,
    'A package differs from what its registry promises, so the gateway held back its end.',
  ),
  login_refused: row(
    502,
    107,
    77,
    'The server does not take the log-in of the rule, or did not show in it that it knows the password.',
  ),
  tls_handshake: row(400, 72, 76, 'The TLS handshake of the client failed.'),
  body_too_large: denial(413, 73, 65, 'The body is larger than the rule or the limit allows.'),
  head_too_large: denial(431, 74, 65, 'The request head is larger than its limit.'),
  method_refused: row(
    405,
    76,
    65,
    'The method (TRACE, CONNECT …) is never forwarded, whatever the rules say.',
  ),
  signature_refused: denial(
    400,
    77,
    65,
    'The gateway cannot sign the request: it is signed for AWS in a way that cannot be made again, or servers would read what a signature covers in different ways. The message says why.',
  ),
  object_unsignable: denial(
    422,
    108,
    65,
    'A commit or tag to sign is not exactly as git writes it, or the signature would be for something other than git; the message says why.',
  ),
  ssh_agent_refused: denial(
    422,
    119,
    65,
    'A client of SSH asks the agent of its session for what it does not do, such as a log-in that is bound to no server; the message says why.',
  ),
  loop_detected: denial(
    508,
    78,
    65,
    'The destination is the gateway itself, or the connection came through it before.',
  ),
  expectation_failed: denial(417, 79, 65, 'The request expects something (Expect) that nobody here knows.'),
  upgrade_required: denial(426, 84, 65, 'The WebSocket handshake is of a version other than 13.'),
  ca_key_unusable: row(500, 75, 78, 'The key of the certificate authority cannot be read or is not ours.'),
  signer_unavailable: row(
    503,
    113,
    75,
    'The process or service that signs certificates for new hosts is away. Hosts whose certificate is there go on.',
  ),
  signing_refused: row(
    500,
    114,
    70,
    'The process that has the key of the certificate authority was asked to sign something that it does not sign.',
  ),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** The code that a text of the other side names; undefined for one of a later version, or of none. */
export function knownErrorCode(text: unknown): ErrorCode | undefined {
  // The check makes the key known.
  return typeof text === 'string' && Object.hasOwn(errorTable, text) ? (text as ErrorCode) : undefined;
}

const codeByWire = new Map<number, ErrorCode>(
  // The table's keys are the codes; Object.entries forgets that.
  (Object.entries(errorTable) as [ErrorCode, ErrorRow][]).map(([code, { wire }]) => [wire, code]),
);

/** The code of a number from the wire; a number of a later version is `internal`. */
export function errorCodeOfWire(wire: number): ErrorCode {
  return codeByWire.get(wire) ?? 'internal';
}
