// What to do about each error: the text of `upstreamproxy explain` and of docs/reference/errors.md.

import type { ErrorCode } from './error-table.ts';

/** Who has to act, and how. Whole sentences, the likeliest cause first. */
export const errorAdvice: Readonly<Record<ErrorCode, string>> = {
  internal:
    'Look for the trace id in the log of the agent or gateway, and report the lines around it. Set UPSTREAMPROXY_DEBUG=1 to see the stack of a command. A second try does no harm.',
  usage:
    'Read the message: it names the option or argument and what it takes. `upstreamproxy help COMMAND` lists them all.',
  config_invalid:
    'Open the file at the line and column of the message and correct it. `upstreamproxy gateway --check` and `upstreamproxy policy check` read the files and start nothing.',
  cancelled: 'Nothing to do: a client went away before its response came, or you stopped the command.',
  shutting_down:
    'Wait. The agent opens a tunnel to a gateway that stays, and new requests go there. A command that ran into it can be run again.',
  timeout:
    'The message names the deadline. Find out which side was slow: `upstreamproxy audit tail` has the time of each stage. Raise the limit of that name only if the origin needs longer than that.',
  limit_exceeded:
    'The message names the limit and its value. `upstreamproxy explain NAME` says why it is there. Slow down or split the work first; an operator can raise most limits in the configuration.',
  frame_malformed:
    'Agent and gateway do not understand each other. Check that nothing between them changes octets, and that both are of neighbouring versions (`upstreamproxy version`).',
  frame_truncated:
    'A connection broke within a message. The agent reconnects by itself. If it happens again and again, look at proxies and balancers between agent and gateway.',
  frame_too_large:
    'One side sends larger frames than the other takes. Check that both are of neighbouring versions.',
  frame_unexpected:
    'One side broke the order of the tunnel protocol. Check the versions of both; between two equal versions it is a fault of ours.',
  flow_control:
    'One side sent more than it was allowed to. Check the versions of both; between two equal versions it is a fault of ours.',
  stream_limit:
    'The client has more connections open than a tunnel holds. Look for a program that opens connections and never closes them.',
  websocket_malformed:
    'Something between agent and gateway changes the WebSocket. Look for a proxy that rewrites it; the gateway needs plain TCP or a proxy that passes upgrades on.',
  websocket_refused:
    'The message has the status that came back. A proxy or load balancer in front of the gateway often refuses upgrades: allow WebSockets there, or let the tunnel use chunks.',
  tunnel_lost:
    'The agent reconnects by itself, and open streams go on where they were. If it does not come back, check the network between container and gateway.',
  resume_unknown:
    'The gateway has given up waiting for the tunnel, or was replaced. Streams of that tunnel have ended; the agent opens a new one by itself. A client that retries gets through.',
  resume_refused:
    'The connection could not prove that the tunnel is its own. The agent opens a new tunnel by itself. If you see this often and nothing was cut, somebody may be replaying connections: look at the audit.',
  peer_unreachable:
    'The gateway that holds the tunnel is down or cannot be reached from the others. The agent goes on trying, then opens a new tunnel. Check `peers` in the configuration and the network between gateways. If a gateway starts while the store is away, the message says why no other gateway could hand over what it has to know. See "Starting while the store is away" in `docs/reference/store.md`.',
  stream_reset:
    'The origin or the client ended one stream in the middle. Try the request again if it may be repeated.',
  token_unreadable:
    'The message names the check. The token file must belong to the user that starts the agent, have mode 0600, and not be a link.',
  token_malformed:
    'This is not a session token. Check that the file holds the token alone, as `upstreamproxy token issue` wrote it.',
  token_invalid:
    'The gateway does not trust this token. Check that it was issued for this gateway: the same signing key, issuer and audience.',
  token_expired:
    'Issue a new token and start the container soon after. If it is not expired, compare the clocks of issuer and gateway.',
  token_reused:
    'Issue a new token: each starts one session. If nobody started the container twice, the token was stolen: revoke the session that used it.',
  session_unknown: 'The session has ended. Start the container again with a new token.',
  session_revoked:
    'An operator ended this session on purpose. `upstreamproxy session list` says when and why.',
  proxy_token_needed:
    'Issue a proxy token with `upstreamproxy token issue --kind proxy` and put it in the address of the proxy as its password. If there is one, the audit says why it was refused: look for the trace id.',
  proof_invalid:
    'The agent could not prove that the session is its own. Compare the clocks of container and gateway; they may differ by a minute at most.',
  access_unknown:
    'Somebody else has decided the request for access, or it has ended. `upstreamproxy access list` shows those that are open.',
  hardening_failed:
    'The token was not touched. The message names the call that failed: allow it in the seccomp profile of the container.',
  runtime_unsupported: 'Start the program with the version of Node that the message names, or a newer one.',
  jail_refused:
    'The message names the layer. `upstreamproxy doctor` says what the kernel and the container allow. Change the container, or leave that layer out by name, knowing what it no longer protects.',
  gateway_unreachable:
    'Check the address in --gateway, that the gateway runs (`/readyz`), and that the container may reach it.',
  gateway_untrusted:
    'Give the certificate that the gateway really has: `upstreamproxy ca show --server` on the gateway prints it. If the one you gave is right, somebody else responds at that address.',
  gateway_protocol:
    'Something other than a gateway responds at that address. Check host and port, and proxies in between.',
  ca_invalid:
    'The response to the request for the certificate authority is not a list of certificates. Check that --gateway leads to the gateway and not to a page of a proxy.',
  trust_unwritable: 'Give the agent a folder that it can write: `--state DIR` on a writable file system.',
  gateway_port_unusable:
    'Another process has the port, or the user may not take it. Choose another port in `listen`, or end the other process.',
  relay_port_in_use: 'Choose another port with --port, or 0 for any free one.',
  store_unavailable:
    'The message says what is wrong: the path, its owner, the disk, or the database. While PostgreSQL is away running sessions go on; new ones wait.',
  identity_unusable:
    'The message says whether the key-encryption key is another one, the row in the store is damaged or went back, or this gateway has other keys. "In the store" in `docs/reference/certificates.md` says what to do about each. The gateway makes nothing new in its place.',
  signing_key_unusable:
    'The key must be a file of mode 0600 that belongs to the user of the gateway. If it is encrypted, certificateAuthority.passphrase must give its passphrase. If it is lost, restore it from a backup: a new key ends all sessions.',
  audit_unavailable:
    'Nothing is served that cannot be audited. Make room on the disk, or repair the database; the gateway goes on by itself.',
  issuer_unavailable:
    'The gateway cannot fetch the keys of the token issuer. Check the network from the gateway to the address in the message, and its certificate.',
  operator_unknown:
    'Log in again, or give a token that is not expired: `upstreamproxy operator token` makes one.',
  operator_refused: 'Ask somebody with the role that the message names.',
  admin_unreachable:
    'Check the address of the server (--server, or that of the context), that admin.listen of the gateway can be reached from here, and the authority that you gave (--ca).',
  release_unreachable:
    'Check the address in the message. Without --url, npm is asked: `npm view upstreamproxy` shows what it says.',
  release_untrusted:
    'Do not install it. Ask the publishers of the releases whether their key has changed, and do not ask by way of the place where the releases are.',
  identity_provider_unavailable:
    'Check that the gateway can reach admin.oidc.issuer, and check clientId, clientSecret and ca. Until then a token works: `upstreamproxy operator token`.',
  operation_unknown:
    'Check the path and the id. The operations are in the OpenAPI document at `/v1/openapi.json`.',
  state_changed: 'Somebody else changed it first. Read it again, look at what changed, and decide anew.',
  request_malformed:
    'The client sent something that two programs could read differently, so it is not passed on. The message says where. Update the client, or report it to its makers.',
  authority_malformed: 'Check the URL: the name of the host or the port is not a valid one.',
  authority_mismatch:
    'The client names one host to connect to and another one in the request. Check for a Host header that was set by hand; an SNI of another host is a sign of domain fronting.',
  policy_denied:
    'The message names the rule. If the task needs the request, ask for access as the denial shows, or let the owner of the policy add a rule. `upstreamproxy policy explain` shows which condition failed.',
  leak_found:
    'The message names the secret and where it stood; the audit has the same. Take it out of what you send. If it only looks like a secret, the operator can let that one text through by its hash (`leaks: { allow: … }`).',
  response_screened:
    'The response has text that nobody is meant to see, or a planted value. With the mark `decider`, the decider of `screen` did not allow it; with `unscreened`, nothing could look at it. Look at it in another way before you trust it. The operator can have the rule only report it (`screen: { on: alert }`). The audit has what a decider said (`deciders`).',
  question_open:
    'Send the very same request again: it joins the question. An approver answers in the console, or with `upstreamproxy access questions` and `access answer`.',
  question_denied:
    'Go on without it. The audit says who answered, and nobody is asked about the same again for 15 minutes.',
  question_impossible:
    'The message says why. An approver has to be there: in the console, or with `upstreamproxy access questions --follow`. Nobody is asked about a body that is too long, unless the rule says `ask: { body: unseen }`.',
  decider_denied:
    'The message names the decider of the rule. Its owner knows why it denies. The audit has what it said (`deciders`), and the id under which its own log may have it.',
  decider_unavailable:
    'The request was not sent. Check whether the decider that the message names runs, and how long it takes. The audit says what failed. A rule gives it more time with `decide: { timeoutMs: … }`.',
  address_denied:
    'The name leads to a private or internal address. If that is meant, the rule has to open it with `addresses:`. If it is a public name, somebody may be rebinding it.',
  protocol_denied:
    'The client speaks something other than HTTP over that port. A rule with `scheme: tcp` lets it through; nothing is inspected then. Of PostgreSQL, the message says what the gateway does not pass on, such as a function call or replication.',
  name_not_found:
    'Check the spelling. The gateway resolves names, not the container, so the gateway must know the name.',
  origin_unreachable:
    'The service is down, or the gateway may not reach it. Try the same address from the host of the gateway.',
  exit_unavailable:
    'The audit has the name of the exit and the reason. Nothing goes out by another way. See `upstream.exits` in the configuration of the gateway.',
  origin_untrusted:
    'The certificate of the service is expired, for another name, or from an authority that the gateway does not know. For a private authority, name its certificate with `trust:` in the rule.',
  origin_malformed:
    'The service sent something that two programs could read differently, so it is not passed on. The audit says where. Its owner has to fix it.',
  origin_truncated:
    'The service ended in the middle of its response. The part that came is incomplete: try again.',
  package_altered:
    'Do not use the part that came. Try again once: the registry may have published the version anew. If it happens again, somebody has changed the package at the registry or on the way, or one of them is broken. The audit has an alarm, package_altered.',
  credential_not_granted:
    'Ask for a token that names the credential: `token issue --credentials NAME`. Without that option a token grants what the policy says.',
  credential_unavailable:
    'The request was not sent. The log of the gateway says which source failed: a variable, a file, a command or a service. Fix it; the next request tries again.',
  login_refused:
    'The audit has what the server said. Check user name and password of the credential, what the server asks for (`pg_hba.conf`), and `authentication` of the rule.',
  tls_handshake:
    'The client does not trust the certificate, or speaks an old version of TLS. `upstreamproxy doctor` says which clients trust it, and why not.',
  body_too_large: 'Send less, or let the owner of the policy raise `limits: { bodyBytes }` in the rule.',
  head_too_large: 'The headers of the request are too long; a very large cookie is the usual reason.',
  method_refused: 'Use another method. TRACE and a CONNECT inside a connection are never passed on.',
  signature_refused:
    'The message says what cannot be signed, and what to send instead. With AWS, the client should most often sign the body in chunks or not at all; see the reference of credentials.',
  object_unsignable:
    'The message says what of it is not as git writes it. The gateway signs commits and tags for git and nothing else; other signatures need a key of their own.',
  ssh_agent_refused:
    'The message says what is wrong. Log-ins need a client that names the server (OpenSSH 8.9), and no agent that is forwarded. The agent signs log-ins of rules with `sign.logIn`, and hashes for git with `sign.hashes`; it takes no keys.',
  loop_detected:
    'The request would come back to the gateway. Check proxy settings of the gateway and names that point to it.',
  expectation_failed: 'Leave out the header `Expect`, or send `100-continue`, which is known.',
  upgrade_required:
    'Use a client that speaks version 13 of the WebSocket protocol: all of the last ten years do.',
  signer_unavailable:
    'The log of the gateway says what the signer lacks: its process, the token, the vault or the key service. Hosts that were served before go on until their certificates end.',
  signing_refused:
    'If the host lies outside of certificateAuthority.names, add it there and have the authority signed anew. Otherwise the gateway has a fault, or somebody runs code in it: the audit has each of them.',
  ca_key_unusable:
    'The key must be a file of mode 0600 that belongs to the user of the gateway. If it is lost, restore it from a backup: with a new authority every container has to start again.',
};
