// What people write at their first attempt, by habit of other products, and what they are told to write instead.

import { type BrokenPolicy, rule } from './broken-policy.ts';

export const brokenFirstAttempts: readonly BrokenPolicy[] = [
  [
    'a wildcard without quotes',
    rule('hosts: *.example.com'),
    [
      'p:3:12: error: YAML reads a * without quotes as the name of an alias; write it in quotes: "*.example.com"',
    ],
  ],
  [
    'a wildcard without quotes in a list of one line',
    rule('hosts: [a.example.com, *.example.com]'),
    [
      'p:3:28: error: YAML reads a * without quotes as the name of an alias; write it in quotes: "*.example.com"',
    ],
  ],
  [
    'every path, without quotes',
    rule('hosts: a.example.com\npaths: *'),
    ['p:4:12: error: YAML reads a * without quotes as the name of an alias; write it in quotes: "*"'],
  ],
  [
    'an alias that is one',
    `groups: { g: &names { hosts: a.example.com } }\n${rule('hosts: *names')}`,
    [
      'p:4:12: error: YAML aliases (*name) are not supported; name hosts once under "groups" and use "include"',
    ],
  ],
  [
    'a path as a regular expression',
    rule('hosts: a.example.com\npaths: ^/v1'),
    [
      'p:4:12: error: the path pattern "^/v1" is written as a regular expression, which has no meaning here; write "/v1*" for what begins so',
    ],
  ],
  [
    'a path as a regular expression from end to end',
    rule('hosts: a.example.com\npaths: ^/v1/.*$'),
    [
      'p:4:12: error: the path pattern "^/v1/.*$" is written as a regular expression, which has no meaning here; write "/v1/*"',
    ],
  ],
  [
    'one path as a regular expression',
    rule('hosts: a.example.com\npaths: ["^/v1/[^/]+/files$"]'),
    [
      'p:4:13: error: the path pattern "^/v1/[^/]+/files$" is written as a regular expression, which has no meaning here; write "/v1/:name/files"',
    ],
  ],
  [
    'a regular expression that no pattern can say',
    rule('hosts: a.example.com\npaths: "^/v(1|2)/"'),
    [
      'p:4:12: error: the path pattern "^/v(1|2)/" is written as a regular expression, which has no meaning here; a pattern is the whole path, with :name for one segment and * for anything, as in "/v1/*"',
    ],
  ],
  [
    'a URL as a path',
    rule('hosts: a.example.com\npaths: https://a.example.com/v1'),
    ['p:4:12: error: the path pattern "https://a.example.com/v1" is a URL; write only its path: "/v1"'],
  ],
  [
    'allow: true',
    rule('hosts: a.example.com\nallow: true'),
    ['p:4:5: error: unknown key "allow"; leave it out: a rule allows unless it has "deny"'],
  ],
  [
    'effect: allow',
    rule('hosts: a.example.com\neffect: allow'),
    ['p:4:5: error: unknown key "effect"; leave it out: a rule allows unless it has "deny"'],
  ],
  [
    'allow: false',
    rule('hosts: a.example.com\nallow: false'),
    ['p:4:5: error: unknown key "allow"; write deny: true'],
  ],
  [
    'action: block',
    rule('hosts: a.example.com\naction: block'),
    ['p:4:5: error: unknown key "action"; write deny: true'],
  ],
  [
    'block: true',
    rule('hosts: a.example.com\nblock: true'),
    ['p:4:5: error: unknown key "block"; write deny: true'],
  ],
  [
    'hosts under allow',
    rule('allow: [a.example.com]'),
    ['p:3:5: error: unknown key "allow"; write "hosts"; a rule allows unless it has "deny"'],
  ],
];
