// Which of curl's cases say something about a proxy between curl and an origin. Each rule is of what the case says.

import type { CurlCase } from './case-format.ts';

/** The rule that keeps the case out, or undefined. */
export function exclusionOf(test: CurlCase, features: ReadonlySet<string>): string | undefined {
  const lines = (name: string): string[] =>
    (test.get(name)?.text ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  const command = test.get('client/command');
  const text = command?.text ?? '';
  const servers = lines('client/server');
  if (test.has('client/tool') || lines('info/keywords').includes('unittest'))
    return 'runs a program of its own instead of curl';
  if (command === undefined) return 'has no command';
  if (servers.length === 0 || servers.some((server) => !/^(?:http|https)(?: |$)/.test(server)))
    return 'uses a server that is not HTTP/1 over TCP';
  const missing = lines('client/features').find(
    (name) => features.has(name.replace('!', '')) === name.startsWith('!'),
  );
  if (missing !== undefined) return 'asks for a feature that this curl has not, or lacks one that it has';
  if (command.attributes['type'] !== undefined || test.has('client/precheck') || test.has('verify/postcheck'))
    return 'is a script of Perl or of a shell';
  for (const [rule, pattern] of commandRules) if (pattern.test(text)) return rule;
  if (/proxy/i.test(test.get('client/setenv')?.text ?? '')) return ownProxy;
  const served = lines('reply/servercmd').find(
    (line) => !/^(?:swsclose|connection-monitor|auth_required|no-expect)$/.test(line),
  );
  if (served !== undefined)
    return 'tells the server to wait, to stream for ever, or to read half of a request';
  return undefined;
}

const ownProxy = 'brings a proxy of its own, or forbids one';
const commandRules: readonly (readonly [rule: string, pattern: RegExp])[] = [
  [
    ownProxy,
    /(?:^|\s)(?:-x|-x\S+|-p|-U|--(?:proxy|preproxy|noproxy|socks)\S*|--haproxy\S*|--suppress-connect\S*)(?=\s|$)/,
  ],
  [
    'chooses the connection, which is the agent’s here',
    /--(?:resolve|connect-to|interface|local-port|unix-socket|abstract-unix-socket|doh-url|dns-\S+|ipv6|ipv4|tcp-\S+)\b|(?:^|\s)-[46](?=\s)/,
  ],
  ['asks for HTTP/0.9, HTTP/2 or HTTP/3 in the clear', /--http(?:0\.9|2|3)\S*/],
  [
    'looks at certificates of its own',
    /--(?:cacert|capath|cert|key|pinnedpubkey|crlfile|tls\S*|ssl\S*|ciphers|curves)\b|(?:^|\s)-E\s/,
  ],
  ['talks another protocol too', /\b(?:ftp|ftps|file|gopher|smtp|imap|pop3|tftp|ldap|wss?|dict|telnet):\/\//],
  [
    'measures time',
    /--(?:limit-rate|speed-\S+|max-time|connect-timeout|keepalive-time|expect100-timeout|happy-\S+)\b|(?:^|\s)-[myY]\s/,
  ],
  [
    'prints what it knows of its connection',
    /%\{(?:num_connects|remote_\w+|local_\w+|proxy_used|time_\w+|http_connect|certs|conn_id|xfer_id|json)\}|%\{json/,
  ],
];
