// The options that `run` and `agent` share: where the gateway is, the token for it, the relay, and what is placed for clients.

import type { OptionTable } from '../definition/command-definition.ts';

/** `section` is the heading under which help shows them. */
export const agentOptionTable = {
  gateway: {
    kind: 'value',
    placeholder: 'URL',
    variable: 'UPSTREAMPROXY_GATEWAY',
    help: 'https:// address of the gateway',
  },
  'gateway-ca': {
    kind: 'path',
    placeholder: 'FILE',
    holds: 'file',
    variable: 'UPSTREAMPROXY_GATEWAY_CA',
    help: "PEM file of the authority that signed the gateway's certificate; default: those of the system",
  },
  'gateway-pin': {
    kind: 'repeated',
    each: 'text',
    placeholder: 'PIN',
    help: "sha256/BASE64 of a public key that must be in the gateway's chain too; if you give several, one must fit; `upstreamproxy ca show --server --summary` prints it",
  },
  'token-file': {
    kind: 'path',
    placeholder: 'FILE',
    holds: 'file',
    variable: 'UPSTREAMPROXY_TOKEN_FILE',
    help: 'file with the session token, mode 0600; the agent erases it once the session has started; default: /run/secrets/upstreamproxy-token, if it exists',
  },
  'token-fd': {
    kind: 'number',
    placeholder: 'N',
    min: 3,
    max: 65_535,
    help: 'inherited file descriptor to read the session token from instead',
  },
  'relay-port': {
    kind: 'port',
    placeholder: 'PORT',
    min: 0,
    words: ['off'],
    otherwise: 0,
    help: 'port of the relay on the loopback address; default: a free one; off: no port, for `agent` with --relay-socket',
  },
  'relay-socket': {
    kind: 'path',
    placeholder: 'PATH',
    holds: 'any',
    help: 'also serve the relay on a Unix socket, for this user alone (curl --unix-socket)',
  },
  'tls-ends-in': {
    kind: 'choice',
    placeholder: 'WHERE',
    variable: 'UPSTREAMPROXY_TLS_ENDS_IN',
    help: 'where TLS of clients ends; default: agent',
    choices: {
      agent:
        'in the agent if both ends of the tunnel prove that nobody stands between them, otherwise in the gateway',
      gateway: 'always in the gateway',
    },
  },
  'home-files': {
    kind: 'flag',
    help: 'place files in HOME for svn, ssh, aria2, lftp, links, s3cmd, yt-dlp and Chromium if they have none, and remove them at the end',
  },
  'system-store': {
    kind: 'flag',
    help: "as root, if the command has no mounts of its own: put the gateway's CA into the system's trust stores, and remove it at the end",
  },
  udp: {
    kind: 'repeated',
    each: 'text',
    placeholder: 'LOCAL=HOST:PORT',
    help: 'a port for datagrams on 127.0.0.1 of the command, and where they go, if a rule with `scheme: udp` allows it: 5300=dns.example.com:53',
  },
  'capture-loopback': {
    kind: 'flag',
    help: 'serve clients that know no proxy, if the command has no separate network. Until the session ends, /etc/resolv.conf leads the whole container to the agent (docs/reference/capture.md)',
  },
  'on-failure': {
    kind: 'choice',
    placeholder: 'WHAT',
    help: 'what happens without a session',
    choices: { exit: 'nothing is started', continue: 'the command runs without the proxy' },
    otherwise: 'exit',
  },
  'dangerously-allow-unhardened': {
    kind: 'flag',
    help: 'read the token even if the process cannot be protected',
  },
} as const satisfies OptionTable;
