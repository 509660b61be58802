// `upstreamproxy policy`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { jsonLinesOption, jsonObjectOption } from './gateway-place-options.ts';
import { adminPlaceOptions, operatorPlaceOptions } from './operator-place-options.ts';
import { usesDefinition } from './policy-uses-definition.ts';
import { prove } from './policy-prove-definition.ts';
import { policyConfigOption, policyFilesOption, recordOptions } from './policy-options.ts';

const nameOption = {
  kind: 'value',
  placeholder: 'NAME',
  help: 'which policy of the store; main is for every session without another one, ceiling bounds all',
} as const;

const check = {
  kind: 'command',
  name: 'check',
  summary: 'checks policy files or folders; every problem and warning on a line, with its place',
  arguments: [{ name: 'FILE', help: 'policy file or folder', repeated: true, takes: 'path' }],
  options: {
    config: policyConfigOption,
    policy: policyFilesOption,
    ...adminPlaceOptions,
    context: { ...adminPlaceOptions.context, help: 'or one that `login` has kept' },
    'fail-on-warning': { kind: 'flag', help: 'exits with 1 if there is a warning' },
    json: jsonObjectOption,
  },
  examples: [
    { line: 'upstreamproxy policy check policy.yaml --fail-on-warning', purpose: 'in a build' },
    {
      line: 'upstreamproxy policy check --config gateway.yaml',
      purpose: 'with the credentials that the configuration has',
    },
    {
      line: 'upstreamproxy policy check policy.yaml --context production',
      purpose: 'with those that a gateway elsewhere has',
    },
  ],
  lists: {
    what: 'whether the policy is good, its rules and version, and every problem with its place',
    as: 'object',
  },
  exits: { 1: 'there is a warning, with --fail-on-warning' },
} as const satisfies CommandDefinition;

const explain = {
  kind: 'command',
  name: 'explain',
  summary: 'says which rule decides about a request, why, and what would be injected',
  description: [
    'For CONNECT it says what becomes of a connection: raw TCP, TLS that is passed through, or requests that are decided. For git it says that about each request to a repository. A push of refs is an update unless --change says otherwise.',
    'Name an exchange of the audit by its id or its trace. The policy, claims and posture of that time decide once more, as far as the gateway keeps them.',
    'Without --policy it asks the policy in force: that of the configuration, of its store if it says `policy: store`, or of a gateway elsewhere.',
  ],
  forms: [
    'policy explain METHOD URL --policy FILE [options]',
    'policy explain CONNECT HOST:PORT --policy FILE [options]',
    'policy explain git fetch URL --policy FILE [options]',
    'policy explain git push URL [REF …] --policy FILE [options]',
    'policy explain sign FILE --policy FILE [options]',
    'policy explain exchange ID [options]',
  ],
  arguments: [
    { name: 'METHOD', help: 'of the request, or CONNECT, git, sign or exchange', required: true },
    {
      name: 'URL',
      help: 'of the request, or HOST:PORT, or what git does, or the file of a commit or tag to sign (`-`: standard input), or the id or trace of an exchange',
      required: true,
    },
    { name: 'REF', help: 'for git: the URL of the repository, and the refs that are pushed', repeated: true },
  ],
  options: {
    policy: policyFilesOption,
    config: policyConfigOption,
    state: { ...recordOptions.state, help: `for exchange: ${recordOptions.state.help}` },
    ...adminPlaceOptions,
    context: {
      ...adminPlaceOptions.context,
      help: 'or one that `login` has kept; without any of these and --policy the current one',
    },
    change: {
      kind: 'choice',
      placeholder: 'CHANGE',
      help: 'what git push does to the refs',
      choices: { create: 'they are new', update: 'they are there', delete: 'they go' },
      otherwise: 'update',
    },
    'push-option': {
      kind: 'repeated',
      each: 'text',
      short: 'o',
      placeholder: 'OPTION',
      help: 'an option of git push, as it follows -o there',
    },
    claims: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'claims of the session, as a JSON object',
    },
    posture: {
      kind: 'value',
      placeholder: 'FACTS',
      help: 'facts of the session that "require" can ask for, with commas between them',
    },
    header: {
      kind: 'repeated',
      each: 'text',
      short: 'H',
      placeholder: 'FIELD',
      help: 'a field of the request, "Name: value"',
    },
    body: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'the body of the request, - for standard input; of JSON if no --header says its Content-Type. For rules that look into it',
    },
    json: { kind: 'flag', help: 'one JSON object for each request that is decided' },
  },
  examples: [
    {
      line: 'upstreamproxy policy explain GET https://api.example.com/v1/users --policy policy.yaml',
      purpose: 'one request',
    },
    {
      line: 'upstreamproxy policy explain POST https://mcp.example.com/mcp --body call.json --policy policy.yaml',
      purpose: 'one whose body rules look into',
    },
    {
      line: 'upstreamproxy policy explain git push https://git.example.com/acme/app refs/heads/main --policy policy.yaml',
      purpose: 'the requests of a push',
    },
    {
      line: 'upstreamproxy policy explain exchange 36fceb3bd45f678c --config gateway.yaml',
      purpose: 'why a denial with this trace',
    },
    {
      line: 'upstreamproxy policy explain GET https://api.example.com/v1/users --context production',
      purpose: 'by what is in force elsewhere',
    },
  ],
  lists: { what: 'the requests, each with its decision and what became of every rule', as: 'lines' },
  exits: { 77: 'a request is denied' },
} as const satisfies CommandDefinition;

const learn = {
  kind: 'command',
  name: 'learn',
  summary: 'prints a policy that allows what an audit has seen',
  description: ['Ids, hashes and versions in paths become patterns.'],
  forms: [
    'policy learn AUDIT | --state DIR | --config FILE [options]',
    'policy learn --server URL | --context NAME [options]',
  ],
  arguments: [{ name: 'AUDIT', help: 'an audit in JSON lines', takes: 'path' }],
  options: { ...recordOptions, ...adminPlaceOptions },
  examples: [
    {
      line: 'upstreamproxy policy learn --context production --since 7d > learned.yaml',
      purpose: 'from what a gateway elsewhere has seen',
    },
    {
      line: 'upstreamproxy policy learn --config gateway.yaml --since 7d > learned.yaml',
      purpose: 'from a week of work',
    },
  ],
} as const satisfies CommandDefinition;

const replay = {
  kind: 'command',
  name: 'replay',
  summary: 'says which recorded requests a policy would decide otherwise',
  description: [
    'Without FILE it asks the policy in force. With the admin API, the gateway itself looks at everything that it keeps, half of the time, and a terminal shows how far it is. Ctrl-C ends it.',
  ],
  forms: [
    'policy replay FILE … --audit AUDIT | --state DIR | --config FILE [options]',
    'policy replay FILE … --server URL | --context NAME [options]',
  ],
  arguments: [
    {
      name: 'FILE',
      help: 'policy file or folder, or @N for version N of the store',
      repeated: true,
      takes: 'path',
    },
  ],
  options: {
    policy: policyFilesOption,
    ...recordOptions,
    ...adminPlaceOptions,
    name: nameOption,
    'fail-on-flip': { kind: 'flag', help: 'exits with 1 if a request flips' },
    json: jsonObjectOption,
  },
  examples: [
    {
      line: 'upstreamproxy policy replay new.yaml --config gateway.yaml --since 1d --fail-on-flip',
      purpose: 'before a policy is taken into use',
    },
    {
      line: 'upstreamproxy policy replay new.yaml --context production --since 1d --fail-on-flip',
      purpose: 'the same at a gateway elsewhere',
    },
  ],
  lists: { what: 'the requests that flip or change, and how many did not', as: 'object' },
  exits: { 1: 'a request flips, with --fail-on-flip' },
} as const satisfies CommandDefinition;

const diff = {
  kind: 'command',
  name: 'diff',
  summary:
    'says what a change of the policy opens, closes, widens and narrows, and which hosts get credentials',
  arguments: [
    {
      name: 'OLD',
      help: 'policy file or folder, or @N for version N of the store',
      required: true,
      takes: 'path',
    },
    { name: 'NEW', help: 'the policy that is to follow it', required: true, takes: 'path' },
  ],
  options: {
    config: policyConfigOption,
    ...adminPlaceOptions,
    context: {
      ...adminPlaceOptions.context,
      help: 'or one that `login` has kept; for a version without any of these the current one',
    },
    name: nameOption,
    json: jsonObjectOption,
  },
  examples: [
    { line: 'upstreamproxy policy diff policy.yaml new.yaml', purpose: 'for a review' },
    { line: 'upstreamproxy policy diff @3 @4 --config gateway.yaml', purpose: 'what was published' },
    {
      line: 'upstreamproxy policy diff @7 new.yaml --context production',
      purpose: 'before it is published elsewhere',
    },
  ],
  lists: { what: 'what opens, closes, widens and narrows', as: 'object' },
} as const satisfies CommandDefinition;

const versionArgument = { name: 'VERSION', help: 'its number, as `policy history` shows it' } as const;
const changeOptions = {
  ...operatorPlaceOptions,
  name: nameOption,
  note: { kind: 'value', placeholder: 'TEXT', help: 'why; it stands in the history' },
  seen: {
    kind: 'number',
    placeholder: 'N',
    min: 0,
    max: 999_999_999,
    help: 'refuses if another version than this one is published, 0: any; without it what is published now is replaced',
  },
  json: jsonObjectOption,
} as const;
const refusedExit = { 1: 'it is published, and a gateway cannot take it' } as const;

const publish = {
  kind: 'command',
  name: 'publish',
  summary: 'publishes a policy to every gateway on the store',
  description: [
    'It first checks the files, and prints what the change opens and closes. Gateways whose configuration says `policy: store` follow within 2 s. One that cannot take the policy keeps what it had.',
  ],
  arguments: [{ name: 'FILE', help: 'policy file or folder', repeated: true, takes: 'path' }],
  options: {
    ...changeOptions,
    for: {
      kind: 'repeated',
      each: 'text',
      placeholder: 'CLAIM=VALUE',
      help: 'only for sessions whose token has this claim; `*` stands for any text. Without it as before',
    },
  },
  examples: [
    {
      line: "upstreamproxy policy publish policy.yaml --config gateway.yaml --note 'opens the new registry'",
      purpose: 'for every session',
    },
    {
      line: 'upstreamproxy policy publish web.yaml --config gateway.yaml --name web --for team=web',
      purpose: 'for the sessions of one team',
    },
  ],
  lists: { what: 'the version, what it changes, warnings, and what gateways made of it', as: 'object' },
  exits: refusedExit,
} as const satisfies CommandDefinition;

const history = {
  kind: 'command',
  name: 'history',
  summary: 'lists what was published, by whom, and which gateways took it',
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    name: { ...nameOption, help: 'of this policy alone' },
    number: {
      kind: 'number',
      short: 'n',
      placeholder: 'N',
      min: 1,
      max: 10_000,
      otherwise: 100,
      help: 'how many at most',
    },
    json: jsonLinesOption,
  },
  examples: [{ line: 'upstreamproxy policy history --config gateway.yaml', purpose: 'who changed what' }],
  lists: { what: 'published versions, the newest first', as: 'lines' },
} as const satisfies CommandDefinition;

const show = {
  kind: 'command',
  name: 'show',
  summary: 'prints a published policy',
  arguments: [versionArgument],
  options: { ...operatorPlaceOptions, name: nameOption, json: jsonObjectOption },
  examples: [
    { line: 'upstreamproxy policy show --config gateway.yaml > policy.yaml', purpose: 'to change it' },
  ],
  lists: { what: 'the version with its files', as: 'object' },
} as const satisfies CommandDefinition;

const rollback = {
  kind: 'command',
  name: 'rollback',
  summary: 'publishes an earlier version again',
  arguments: [{ ...versionArgument, required: true }],
  options: changeOptions,
  examples: [{ line: 'upstreamproxy policy rollback 3 --config gateway.yaml', purpose: 'as version 3 was' }],
  lists: { what: 'as for publish', as: 'object' },
  exits: refusedExit,
} as const satisfies CommandDefinition;

const withdraw = {
  kind: 'command',
  name: 'withdraw',
  summary: 'takes a published policy away; sessions without one are denied everything',
  arguments: [],
  options: changeOptions,
  examples: [
    { line: 'upstreamproxy policy withdraw --name web --config gateway.yaml', purpose: 'back to main' },
  ],
  lists: { what: 'as for publish', as: 'object' },
  exits: refusedExit,
} as const satisfies CommandDefinition;

const pins = {
  kind: 'command',
  name: 'pins',
  summary: 'prints a hash of each tool that an MCP server lists, for `pins` of a rule',
  description: [
    'A file is a response to tools/list as it came, JSON or a stream of events. Name the files of all pages in their order. The command contacts nothing.',
  ],
  arguments: [{ name: 'FILE', help: 'a page of the list, or -', repeated: true, takes: 'path' }],
  options: { json: jsonObjectOption },
  examples: [
    { line: 'upstreamproxy policy pins tools.json', purpose: 'of a server that has one page' },
    { line: 'upstreamproxy policy pins page-1.json page-2.json', purpose: 'of one that has two' },
  ],
  lists: { what: 'the pins by the names of the tools', as: 'object' },
} as const satisfies CommandDefinition;

export const policyDefinition = {
  kind: 'group',
  name: 'policy',
  summary: 'checks, explains, learns, replays, compares, proves and publishes policies',
  description: [
    'With --config or --state, the commands ask the store of that gateway. With --server or --context, they ask the admin API of a gateway elsewhere.',
    'Without any of these, `check`, `learn`, `prove`, a `diff` of two files, `explain --policy` and `replay --audit` look at files here, and contact nothing. Everything else asks the current context, which `login` keeps.',
  ],
  question: 'what about policies?',
  actions: [
    check,
    explain,
    learn,
    replay,
    diff,
    publish,
    history,
    show,
    rollback,
    withdraw,
    pins,
    usesDefinition,
    prove,
  ],
} as const satisfies GroupDefinition;
