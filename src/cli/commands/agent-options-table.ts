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
    help: "PEM of the authority that the gateway's certificate must come from; default: the system's",
  },
  'gateway-pin': {
    kind: 'repeated',
    each: 'text',
    placeholder: 'PIN',
    help: "sha256/BASE64 of a public key that must be in the gateway's chain too; of several one must fit; `upstreamproxy ca show --server --summary` prints it",
  },
  'token-file': {
    kind: 'path',
    placeholder: 'FILE',
    holds: 'file',
    variable: 'UPSTREAMPROXY_TOKEN_FILE',
    help: 'session token, mode 0600; it is erased once the session stands; default: /run/secrets/upstreamproxy-token, where it is there',
  },
  'token-fd': {
    kind: 'number',
    placeholder: 'N',
    min: 3,
    max: 65_535,
    help: 'session token from an inherited file descriptor instead',
  },
  'relay-port': {
    kind: 'port',
    placeholder: 'PORT',
    min: 0,
    words: ['off'],
    otherwise: 0,
    help: 'port of the relay on the loopback address; default: any free one; for `agent` with --relay-socket, off leaves it out',
  },
  'relay-socket': {
    kind: 'path',
    placeholder: 'PATH',
    holds: 'any',
    help: 'a Unix socket for the relay too, for this user alone (curl --unix-socket)',
  },
  'tls-ends-in': {
    kind: 'choice',
    placeholder: 'WHERE',
    variable: 'UPSTREAMPROXY_TLS_ENDS_IN',
    help: 'where TLS of clients ends; default: agent',
    choices: {
      agent:
        'in the agent on each tunnel for which it is proven that nobody else ends the TLS to the gateway, else in the gateway',
      gateway: 'always in the gateway',
    },
  },
  'home-files': {
    kind: 'flag',
    help: 'files in HOME for svn, ssh, aria2, lftp, links, s3cmd, yt-dlp and Chromium, where there are none; removed again',
  },
  'system-store': {
    kind: 'flag',
    help: "as root, where the command has no mounts of its own: the gateway's CA in the system's trust stores; removed again",
  },
  'capture-loopback': {
    kind: 'flag',
    help: 'serves clients that know of no proxy, where the command has no separate network. /etc/resolv.conf leads all of this container to the agent until the session ends (docs/reference/capture.md)',
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
    help: 'reads the token even where the process cannot be protected',
  },
} as const satisfies OptionTable;
