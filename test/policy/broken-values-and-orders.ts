// Policies with one mistake in a value or between rules, and every line that is told about it.

import { type BrokenPolicy, rule } from './broken-policy.ts';

export const brokenValuesAndOrders: readonly BrokenPolicy[] = [
  [
    'git without a repository',
    rule('hosts: a.example.com\ngit: { operations: fetch }'),
    [
      'p:4:10: error: the rule allows every repository of its hosts; write repository: [acme/app], or acme/**',
    ],
  ],
  [
    'git with methods',
    rule('hosts: a.example.com\nmethods: GET\ngit: { repository: acme/app, operations: fetch }'),
    ['p:4:14: error: "git" says the methods already; remove "methods"'],
  ],
  [
    'a repository that is a URL',
    rule('hosts: a.example.com\ngit: { repository: https://a.example.com/acme/app, operations: fetch }'),
    [
      'p:4:24: error: "https://a.example.com/acme/app" is a URL; write the path of the repository, such as acme/app',
    ],
  ],
  [
    'a branch by its short name',
    rule('hosts: a.example.com\ngit: { repository: acme/app, operations: push, refs: [main] }'),
    [
      'p:4:59: error: "main" is not the whole name of a ref; write refs/heads/main for a branch, or refs/tags/… for a tag',
    ],
  ],
  [
    'refs of what is no push',
    rule('hosts: a.example.com\ngit: { repository: acme/app, operations: fetch, refs: refs/heads/a }'),
    [
      'p:4:59: error: "refs" bounds a push and never a fetch; write operations: push, or operations: [fetch, push]',
    ],
  ],
  [
    'a denial of refs and fetches',
    rule('hosts: a.example.com\ndeny: true\ngit: { changes: delete }'),
    ['p:5:21: error: "changes" is seen of a push only; write operations: push'],
  ],
  [
    'an unknown key of git',
    rule('hosts: a.example.com\ngit: { repo: acme/app }'),
    ['p:4:12: error: unknown key "repo"; write "repository"'],
  ],
  [
    'git where TLS stays closed',
    rule('hosts: a.example.com\ntls: passthrough\ngit: { repository: acme/app, operations: fetch }'),
    [
      'p:5:10: error: passthrough leaves TLS closed, so "git" cannot be kept; remove it, or let the gateway intercept',
    ],
  ],
  [
    'a public network',
    rule('hosts: a.example.com\naddresses: 8.8.8.0/24'),
    [
      'p:4:16: error: 8.8.8.0/24 is not private address space; "addresses" opens private networks only (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, 127.0.0.0/8, fc00::/7, ::1/128), and public addresses need no opening',
    ],
  ],
  [
    'a metadata address',
    rule('hosts: a.example.com\naddresses: 169.254.169.254'),
    ['p:4:16: error: 169.254.169.254 is a metadata address, which no rule can open; remove it'],
  ],
  [
    'bits behind the prefix',
    rule('hosts: a.example.com\naddresses: 10.1.2.3/8'),
    ['p:4:16: error: 10.1.2.3/8 has bits set behind its prefix; write 10.0.0.0/8'],
  ],
  [
    'a network that is none',
    rule('hosts: a.example.com\naddresses: intranet'),
    [
      'p:4:16: error: "intranet" is not a network; write an address with a prefix, such as 10.1.0.0/16 or fd12::/16',
    ],
  ],
  [
    'a prefix too long',
    rule('hosts: a.example.com\naddresses: 10.0.0.0/33'),
    ['p:4:16: error: the prefix of 10.0.0.0/33 must be a number from 0 to 32'],
  ],
  [
    'a size without meaning',
    rule('hosts: a.example.com\nlimits: { bodyBytes: 10 megs }'),
    [
      'p:4:26: error: "rules[0].limits.bodyBytes" is "10 megs"; write a number of bytes, or a size such as 500 kB, 10 MiB or 1 GiB',
    ],
  ],
  [
    'a rate of zero',
    rule('hosts: a.example.com\nlimits: { requestsPerSecond: 0 }'),
    [
      'p:4:34: error: "rules[0].limits.requestsPerSecond" is 0; write a number of requests per second above 0, such as 5 or 0.5',
    ],
  ],
  [
    'an unknown limit',
    rule('hosts: a.example.com\nlimits: { rate: 5 }'),
    ['p:4:15: error: unknown key "rate"; write "requestsPerSecond"'],
  ],
  [
    'an unknown fact',
    rule('hosts: a.example.com\nrequire: [jail]'),
    [
      'p:4:15: error: "rules[0].require[0]" is "jail"; write facts of the posture: nondumpable, exec-only, untraced, core-limit-zero, inspector-closed, environment-clean, jailed, network-isolated, files-hidden, token-in-container, no-token-in-container',
    ],
  ],
  [
    'an empty for',
    rule('hosts: a.example.com\nfor: {}'),
    ['p:4:10: error: "rules[0].for" is a map; write at least one claim, or leave "for" out'],
  ],
  [
    'a claim without value',
    rule('hosts: a.example.com\nfor: { ref: }'),
    [
      'p:4:17: error: "rules[0].for.ref" is empty; write a value, a list of values, or a map of claims; * in text stands for anything',
    ],
  ],
  [
    'a time without zone',
    rule('hosts: a.example.com\nexpires: 2030-01-01T00:00:00'),
    ['p:4:14: error: "expires" is not a time with a zone; write it as 2030-01-31T12:00:00Z'],
  ],
  [
    'a time that is none',
    rule('hosts: a.example.com\nexpires: 2030-13-01T00:00:00Z'),
    ['p:4:14: error: "expires" is not a time with a zone; write it as 2030-01-31T12:00:00Z'],
  ],
  [
    'a dead rule by host',
    'rules:\n  - name: wide\n    hosts: "*.example.com"\n  - name: narrow\n    hosts: a.example.com\n    inject: x',
    [
      'p:4:5: error: this rule can never decide: "wide" (p:2) above admits all of it; move this rule up or remove it',
    ],
  ],
  [
    'a dead rule by path',
    'rules:\n  - name: wide\n    hosts: a.example.com\n    paths: /a/*\n  - name: narrow\n    hosts: a.example.com\n    methods: GET\n    paths: [/a/b, /a/c/*]',
    [
      'p:5:5: error: this rule can never decide: "wide" (p:2) above admits all of it; move this rule up or remove it',
    ],
  ],
  [
    'a rule that a deny kills',
    'rules:\n  - name: good\n    hosts: a.example.com\n  - name: bad\n    hosts: "*.example.com"\n    deny: true',
    [
      'p:2:5: error: this rule can never allow: "bad" (p:4) denies all of it; narrow that rule or remove this one',
    ],
  ],
  [
    'a deny that repeats one',
    'rules:\n  - name: one\n    hosts: "*.example.com"\n    deny: true\n  - name: two\n    hosts: a.example.com\n    deny: true',
    [
      'p:5:5: error: this rule can never decide: "one" (p:2) above denies all of it; move this rule up or remove it',
    ],
  ],
  [
    'passthrough behind intercept',
    'rules:\n  - name: look\n    hosts: a.example.com\n    paths: /x\n  - name: blind\n    hosts: a.example.com\n    tls: passthrough',
    [
      'p:5:5: error: this rule can never decide: "look" (p:2) above takes all of its connections; move this rule up or remove it',
    ],
  ],
  [
    'a deny that blind bytes evade',
    'rules:\n  - name: blind\n    hosts: "*.example.com"\n    tls: passthrough\n  - name: no-put\n    hosts: a.example.com\n    methods: PUT\n    deny: true',
    [
      'p:5:5: error: this rule looks into requests, but "blind" (p:2) passes connections to a.example.com unopened; deny the host without methods, paths, git, mcp, graphql, llm, packages and when, or let that rule intercept',
    ],
  ],
  [
    'raw TCP beside https',
    'rules:\n  - name: api\n    hosts: a.example.com\n  - name: raw\n    hosts: "*.example.com"\n    scheme: tcp\n    ports: [22, 443]',
    [
      'p:4:5: error: raw TCP to *.example.com would take the connections of "api" (p:2), which is for the same host and port; keep one of the two',
    ],
  ],
  [
    'a condition that is not CEL',
    rule('hosts: a.example.com\nwhen: "request.method =="'),
    [
      'p:4:11: error: the condition is not valid CEL: Unexpected token: EOF; the variables are request, json, claims, posture and now',
    ],
  ],
  [
    'a condition on a variable that is not there',
    rule('hosts: a.example.com\nwhen: user == "x"'),
    [
      'p:4:11: error: the condition is not valid CEL: Unknown variable: user; the variables are request, json, claims, posture and now',
    ],
  ],
  [
    'a condition on a field that is not there',
    rule('hosts: a.example.com\nwhen: request.body == "x"'),
    [
      'p:4:11: error: the condition is not valid CEL: No such key: body; the variables are request, json, claims, posture and now',
    ],
  ],
  [
    'a condition of another type',
    rule('hosts: a.example.com\nwhen: request.port == "443"'),
    [
      'p:4:11: error: the condition is not valid CEL: no such overload: int == string; the variables are request, json, claims, posture and now',
    ],
  ],
  [
    'a condition that is no bool',
    rule('hosts: a.example.com\nwhen: request.path'),
    ['p:4:11: error: the condition gives string, not true or false; compare it with something'],
  ],
  [
    'a condition with a regular expression',
    rule('hosts: a.example.com\nwhen: request.path.matches("(a+)+")'),
    [
      'p:4:11: error: the condition uses "matches"; regular expressions can be made slow by a request, so use "paths", startsWith, endsWith or contains',
    ],
  ],
  [
    'a condition that looks at all of the body in a loop',
    rule("hosts: a.example.com\nwhen: 'json.a.all(x, size(json.t) > 1)'"),
    [
      'p:4:11: error: the condition looks at "json" inside of "all", so for each element again, and a request decides how many there are and how long it is; compare it outside of the loop',
    ],
  ],
  [
    'a condition with a loop in a loop',
    rule('hosts: a.example.com\nwhen: posture.all(x, posture.all(y, x == y))'),
    ['p:4:11: error: the condition has "all" inside another loop; write two conditions joined by &&'],
  ],
  [
    'a condition that is too long',
    rule(`hosts: a.example.com\nwhen: ${Array(120).fill('true').join(' && ')}`),
    [
      'p:4:11: error: the condition is not valid CEL: Exceeded maxAstNodes (200); the variables are request, json, claims, posture and now',
    ],
  ],
  [
    'a deny for https where raw TCP passes anything',
    'rules:\n  - { name: raw, hosts: "*.example.com", scheme: tcp, ports: [443, 5432] }\n  - { name: no, hosts: a.example.com, scheme: https, deny: true }',
    [
      'p:3:47: error: this rule denies https alone, but "raw" (p:2) passes any bytes to a.example.com on the same port; leave "scheme" out, so that it denies them too',
    ],
  ],
  [
    'a deny for http on a port of raw TCP',
    'rules:\n  - { name: raw, hosts: a.example.com, scheme: tcp, ports: 5432 }\n  - { name: no, hosts: "*", scheme: http, ports: 5432, deny: true }',
    [
      'p:3:37: error: this rule denies http alone, but "raw" (p:2) passes any bytes to * on the same port; leave "scheme" out, so that it denies them too',
    ],
  ],
  [
    'a file that is too long',
    `# ${'x'.repeat(2 * 1024 * 1024)}`,
    ['p:1:1: error: the file is longer than 2097152 bytes; split it into several files'],
  ],
];
