// Policies with one mistake in the document, the names or the hosts, and every line that is told about it.

import { type BrokenPolicy, rule } from './broken-policy.ts';

export const brokenDocumentsAndHosts: readonly BrokenPolicy[] = [
  [
    'text instead of a map',
    'just text',
    ['p:1:1: error: the document is text that does not fit; write a map with the key rules'],
  ],
  [
    'an empty list as document',
    '[]',
    ['p:1:1: error: the document is an empty list; write a map with the key rules'],
  ],
  ['a tab', 'rules:\n\t- name: a', ['p:2:1: error: a tab is used as indentation; use spaces']],
  [
    'an open bracket',
    'rules: [\n',
    [
      'p:2:1: error: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  ],
  [
    'two documents',
    'rules: []\n---\nrules: []',
    ['p:2:1: error: the file holds several YAML documents; write one document a file, without "---" between'],
  ],
  [
    'a key twice',
    'rules: []\nrules: []',
    ['p:2:1: error: the same key stands twice in this map; keep one of them'],
  ],
  [
    'an alias',
    'groups:\n  g: &g { hosts: a.example.com }\n  h: *g',
    [
      'p:3:6: error: YAML aliases (*name) are not supported; name hosts once under "groups" and use "include"',
    ],
  ],
  [
    'a tag',
    'rules: !include x.yaml',
    ['p:1:8: error: YAML tags (!name) have no meaning here; write plain text, numbers, lists and maps'],
  ],
  ['a number as key', '1: x', ['p:1:1: error: a key must be text; put it in quotes']],
  [
    'too deep',
    `for: ${'{a: '.repeat(40)}1${'}'.repeat(40)}`,
    ['p:1:127: error: nested more than 32 levels deep; write it flatter'],
  ],
  ['unknown top key', 'rulez: []', ['p:1:1: error: unknown key "rulez"; write "rules"']],
  [
    'unknown top key far away',
    'banana: 1',
    [
      'p:1:1: error: unknown key "banana"; the keys here are version, mode, for, require, requestFields, tls, leaks, groups, catalog, rules',
    ],
  ],
  [
    'wrong version',
    'version: 2',
    ['p:1:10: error: "version" is 2; write version: 1, the only version there is'],
  ],
  ['wrong mode', 'mode: audit', ['p:1:7: error: "mode" is "audit"; write enforce or observe']],
  [
    'rules is a map',
    'rules: { name: a }',
    ['p:1:8: error: "rules" is a map; write a list of rules, each with name and hosts'],
  ],
  [
    'a rule is text',
    'rules: [allow]',
    ['p:1:9: error: "rules[0]" is "allow"; write a rule as a map with name and hosts'],
  ],
  [
    'no name',
    'rules:\n  - hosts: a.example.com',
    [
      'p:2:5: error: "rules[0].name" is missing; write a short name of letters, digits, ".", "_" and "-", such as npm-read',
    ],
  ],
  [
    'a bad name',
    'rules:\n  - name: "a b"\n    hosts: a.example.com\n',
    [
      'p:2:11: error: "rules[0].name" is "a b"; write a short name of letters, digits, ".", "_" and "-", such as npm-read',
    ],
  ],
  [
    'a reserved name',
    'rules:\n  - name: default-deny\n    hosts: a.example.com',
    ['p:2:11: error: the name default-deny is reserved; write another name'],
  ],
  [
    'a name twice',
    'rules:\n  - name: a\n    hosts: a.example.com\n  - name: a\n    hosts: b.example.com',
    ['p:4:11: error: the name a is used by "a" (p:2) already; write another one'],
  ],
  [
    'a name twice over files',
    ['rules: [{ name: a, hosts: a.example.com }]', 'rules: [{ name: a, hosts: b.example.com }]'],
    ['p1:1:17: error: the name a is used by "a" (p0:1) already; write another one'],
  ],
  [
    'no hosts',
    rule('methods: GET'),
    [
      'p:2:5: error: the rule has no hosts; write hosts: [registry.example.com], or include: with the name of a group',
    ],
  ],
  ['mistyped key', rule('hsots: a.example.com'), ['p:3:5: error: unknown key "hsots"; write "hosts"']],
  [
    'a word of other products',
    rule('hosts: a.example.com\naction: allow'),
    ['p:4:5: error: unknown key "action"; leave it out: a rule allows unless it has "deny"'],
  ],
  [
    'a number as host',
    rule('hosts: 5'),
    [
      'p:3:12: error: "rules[0].hosts" is 5; write a host name such as registry.example.com or *.example.com, or a list of them',
    ],
  ],
  [
    'an empty list of hosts',
    rule('hosts: []'),
    [
      'p:3:12: error: "rules[0].hosts" is an empty list; write a host name such as registry.example.com or *.example.com, or a list of them',
    ],
  ],
  [
    'a URL as host',
    rule('hosts: https://a.example.com/x'),
    [
      'p:3:12: error: "https://a.example.com/x" is a URL; write only its host, and put the path under "paths"',
    ],
  ],
  [
    'a path in a host',
    rule('hosts: a.example.com/x'),
    ['p:3:12: error: "a.example.com/x" has a "/"; write only the host here and the path under "paths"'],
  ],
  [
    'a port in a host',
    rule('hosts: a.example.com:8443'),
    ['p:3:12: error: "a.example.com:8443" has a port; write the host alone and the port under "ports"'],
  ],
  [
    'a dot at the end',
    rule('hosts: a.example.com.'),
    [
      'p:3:12: error: "a.example.com." ends with a dot; names are absolute here already, so leave the dot out',
    ],
  ],
  [
    'a wildcard inside',
    rule('hosts: api-*.example.com'),
    [
      'p:3:12: error: "api-*.example.com" has a wildcard inside; "*." stands for whole labels and only at the start, as in *.example.com',
    ],
  ],
  [
    'a bare star',
    rule('hosts: "*"'),
    [
      'p:3:12: error: "*" allows every host on the internet; write the hosts that are needed, or use mode: observe to learn them',
    ],
  ],
  [
    'a wildcard over a registry',
    rule('hosts: "*.com"'),
    [
      'p:3:12: error: *.com is a wildcard over names that anybody can register; write the names that are needed, such as name.com',
    ],
  ],
  [
    'a wildcard over a second level',
    rule('hosts: ["*.co.uk"]'),
    [
      'p:3:13: error: *.co.uk is a wildcard over names that anybody can register; write the names that are needed, such as name.co.uk',
    ],
  ],
  [
    'a wildcard over a hosting service',
    rule('hosts: "*.github.io"'),
    [
      'p:3:12: error: *.github.io is a wildcard over names that anybody can register; write the names that are needed, such as name.github.io',
    ],
  ],
  [
    'a single label',
    rule('hosts: localhost'),
    [
      'p:3:12: error: "localhost" is a single label; write the full name of the host, such as localhost.example.com',
    ],
  ],
  [
    'a name outside ASCII',
    rule('hosts: bücher.example'),
    [
      'p:3:12: error: "bücher.example" is not ASCII; write the A-label form of the name (it starts with xn--)',
    ],
  ],
  [
    'a number for an address',
    rule('hosts: 0x7f.1'),
    [
      'p:3:12: error: "0x7f.1" looks like a number for an address; write an IPv4 address as four decimal parts, such as 192.0.2.1',
    ],
  ],
  [
    'a decimal number for an address',
    rule('hosts: "2130706433"'),
    [
      'p:3:12: error: "2130706433" looks like a number for an address; write an IPv4 address as four decimal parts, such as 192.0.2.1',
    ],
  ],
  [
    'an underscore too much',
    rule('hosts: "a..example.com"'),
    [
      'p:3:12: error: "a..example.com" is not a host name; write names such as registry.example.com or *.example.com',
    ],
  ],
  [
    'a private literal without addresses',
    rule('hosts: 10.0.0.5'),
    [
      'p:3:12: error: 10.0.0.5 is a private address, which the address guard refuses; add addresses: 10.0.0.5/32',
    ],
  ],
  [
    'an unknown group',
    rule('include: pks'),
    ['p:3:14: error: there is no group "pks"; define it under "groups"'],
  ],
  [
    'a group without hosts',
    'groups:\n  g: { description: x }',
    ['p:2:3: error: the group "g" has no hosts; write hosts: [registry.example.com]'],
  ],
  [
    'a bad host in a group',
    'groups:\n  g: { hosts: [a.example.com, "b.example.com:1"] }',
    ['p:2:31: error: "b.example.com:1" has a port; write the host alone and the port under "ports"'],
  ],
  [
    'discovery that is not there',
    'groups:\n  g: { discover: npm }',
    ['p:2:18: error: hosts cannot be discovered from "npm" here; write the hosts under "hosts"'],
  ],
  [
    'a wide group',
    'groups:\n  g: { hosts: "*.net" }\nrules:\n  - name: a\n    include: g\n',
    [
      'p:5:14: error: *.net is a wildcard over names that anybody can register; write the names that are needed, such as name.net',
    ],
  ],
];
