// Policies with one mistake in what a rule matches or does, and every line that is told about it.

import { type BrokenPolicy, rule } from './broken-policy.ts';

export const brokenConditions: readonly BrokenPolicy[] = [
  [
    'websocket as scheme',
    rule('hosts: a.example.com\nscheme: wss'),
    [
      'p:4:13: error: "rules[0].scheme" is "wss"; write https, http, tcp or udp (WebSocket is https), or [https, http]',
    ],
  ],
  [
    'tcp beside https',
    rule('hosts: a.example.com\nscheme: [tcp, https]\nports: 22'),
    ['p:4:13: error: "tcp" allows any bytes, so it stands alone; write a rule of its own for it'],
  ],
  [
    'tcp without ports',
    rule('hosts: a.example.com\nscheme: tcp'),
    ['p:4:13: error: a rule for raw TCP needs "ports"; write them, such as ports: 22'],
  ],
  [
    'port zero',
    rule('hosts: a.example.com\nports: 0'),
    ['p:4:12: error: "rules[0].ports" is 0; write a port from 1 to 65535, or a list of them'],
  ],
  [
    'a port as text',
    rule('hosts: a.example.com\nports: ["443"]'),
    ['p:4:13: error: "rules[0].ports[0]" is "443"; write a port from 1 to 65535, or a list of them'],
  ],
  [
    'a lower-case method',
    rule('hosts: a.example.com\nmethods: [GET, post]'),
    ['p:4:20: error: "post" is not a method in upper case; write POST'],
  ],
  [
    'a star as method',
    rule('hosts: a.example.com\nmethods: "*"'),
    ['p:4:14: error: all methods is what a rule without "methods" says; remove the key'],
  ],
  [
    'CONNECT as method',
    rule('hosts: a.example.com\nmethods: CONNECT'),
    ['p:4:14: error: CONNECT is never admitted inside a connection; remove it (raw TCP is scheme: tcp)'],
  ],
  [
    'a path without slash',
    rule('hosts: a.example.com\npaths: simple/*'),
    ['p:4:12: error: the path pattern "simple/*" must start with "/"; write "/simple/*"'],
  ],
  [
    'a query in a path',
    rule('hosts: a.example.com\npaths: "/a?x=1"'),
    [
      'p:4:12: error: the path pattern "/a?x=1" has a "?"; patterns see the path only, so leave the query out',
    ],
  ],
  [
    'a fragment in a path',
    rule('hosts: a.example.com\npaths: "/a#x"'),
    ['p:4:12: error: the path pattern "/a#x" has a "#"; fragments are never sent, so leave it out'],
  ],
  [
    'a regular expression',
    rule('hosts: a.example.com\npaths: "/a/(\\\\d+)"'),
    [
      'p:4:12: error: the path pattern "/a/(\\\\d+)" has a "("; regular expressions are not supported, so use :name, * and {…}? (\\( for the character)',
    ],
  ],
  [
    'a colon inside a segment',
    rule('hosts: a.example.com\npaths: "/models/gemini:generate"'),
    [
      'p:4:12: error: the path pattern "/models/gemini:generate" has :generate inside a segment, which matches any text there; write \\:generate if the colon is meant literally',
    ],
  ],
  [
    'a dot segment',
    rule('hosts: a.example.com\npaths: /a/../b'),
    [
      'p:4:12: error: the path pattern "/a/../b" has a "." or ".." segment, which canonical paths never have; leave it out',
    ],
  ],
  [
    'an open group in a path',
    rule('hosts: a.example.com\npaths: "/a{/b"'),
    ['p:4:12: error: the path pattern "/a{/b" has a "{" without "}"; close the group'],
  ],
  [
    'a bad percent sign',
    rule('hosts: a.example.com\npaths: "/100%"'),
    [
      'p:4:12: error: the path pattern "/100%" has a "%" without two hex digits; write %25 for a percent sign',
    ],
  ],
  [
    'a path that is refused',
    rule('hosts: a.example.com\npaths: "/a%00b"'),
    [
      'p:4:12: error: the path pattern "/a%00b" can never match, for such paths are refused: The request target "/a%00b" is refused: it has an encoded control character.',
    ],
  ],
  [
    'an unknown credential',
    rule('hosts: a.example.com\ninject: gitub'),
    ['p:4:13: error: there is no credential "gitub" in the gateway\'s configuration; it has github, npm'],
    { credentials: ['github', 'npm'] },
  ],
  [
    'an unknown trust',
    rule('hosts: a.example.com\ntrust: [internal, intrenal]'),
    ['p:4:23: error: there is no trust "intrenal" in the gateway\'s configuration; it has internal'],
    { trust: ['internal'] },
  ],
  [
    'a trust where the gateway has none',
    rule('hosts: a.example.com\ntrust: internal'),
    [
      'p:4:12: error: there is no trust "internal" in the gateway\'s configuration; define it under "trust" there',
    ],
    { trust: [] },
  ],
  [
    'trust over http',
    rule('hosts: a.example.com\nscheme: http\ntrust: internal'),
    ['p:5:12: error: there is no certificate to verify over http; write scheme: https, or remove "trust"'],
  ],
  [
    'trust with passthrough',
    rule('hosts: a.example.com\ntls: passthrough\ntrust: internal'),
    [
      'p:5:12: error: passthrough leaves TLS closed, so "trust" cannot be kept; remove it, or let the gateway intercept',
    ],
  ],
  [
    'inject over http',
    rule('hosts: a.example.com\nscheme: [https, http]\ninject: github'),
    [
      'p:5:13: error: a credential is never sent in cleartext; write scheme: https, and a rule of its own for http',
    ],
  ],
  [
    'inject into passthrough',
    rule('hosts: a.example.com\ntls: passthrough\ninject: github'),
    [
      'p:5:13: error: passthrough leaves TLS closed, so "inject" cannot be kept; remove it, or let the gateway intercept',
    ],
  ],
  [
    'inject into a wide wildcard',
    rule('hosts: "*.github.io"\ndangerouslyAllowWideHosts: true\ninject: github'),
    [
      "p:5:13: error: a credential is never given to a wildcard over strangers' hosts; name the hosts that get it",
    ],
  ],
  [
    'methods with passthrough',
    rule('hosts: a.example.com\ntls: passthrough\nmethods: GET'),
    [
      'p:5:14: error: passthrough leaves TLS closed, so "methods" cannot be kept; remove it, or let the gateway intercept',
    ],
  ],
  [
    'paths with tcp',
    rule('hosts: a.example.com\nscheme: tcp\nports: 22\npaths: /x'),
    [
      'p:6:12: error: raw TCP is not looked into, so "paths" cannot be kept; remove it, or let the gateway intercept',
    ],
  ],
  [
    'rate with tcp',
    rule('hosts: a.example.com\nscheme: tcp\nports: 22\nlimits: { requestsPerSecond: 1 }'),
    ['p:6:34: error: raw TCP is not looked into, so requests cannot be counted; use bytesPerSession'],
  ],
  [
    'passthrough over http',
    rule('hosts: a.example.com\nscheme: http\ntls: passthrough'),
    ['p:5:10: error: passthrough is for TLS; write scheme: https'],
  ],
  [
    'tls skip',
    rule('hosts: a.example.com\ntls: skip'),
    [
      'p:4:10: error: "rules[0].tls" is "skip"; write intercept, auto, passthrough, or { passthrough: true, ech: refuse }',
    ],
  ],
  [
    'deny false',
    rule('hosts: a.example.com\ndeny: false'),
    ['p:4:11: error: "rules[0].deny" is false; leave deny out: a rule without it allows'],
  ],
  [
    'deny with a wrong key',
    rule('hosts: a.example.com\ndeny: { message: no }'),
    [
      'p:4:11: error: "rules[0].deny.reason" is missing; write the reason that the workload is told',
      'p:4:13: error: unknown key "message"; write "reason"',
    ],
  ],
  [
    'deny with inject',
    rule('hosts: a.example.com\ndeny: true\ninject: github'),
    [
      'p:5:13: error: "inject" has no meaning in a rule that denies; remove it, or remove "deny"',
      'p:5:13: error: a credential is never sent in cleartext; write scheme: https, and a rule of its own for http',
    ],
  ],
  [
    'deny with the wide key',
    rule('hosts: a.example.com\ndeny: true\ndangerouslyAllowWideHosts: true'),
    ['p:5:32: error: a rule that denies may have any wildcard; leave this key out'],
  ],
];
