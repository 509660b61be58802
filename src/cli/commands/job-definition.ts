// `upstreamproxy job`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { agentOptionTable } from './agent-options-table.ts';
import { environmentOptions } from './environment-options.ts';

const { 'on-failure': _, ...sessionOptions } = agentOptionTable;

const stateOption = {
  kind: 'path',
  placeholder: 'DIR',
  holds: 'folder',
  required: true,
  help: 'the folder of this job, which `job begin` makes and `job end` removes',
} as const;

/** What `job begin` hands on to the process that it leaves behind. */
const handedOn = {
  state: stateOption,
  policy: {
    kind: 'repeated',
    each: 'path',
    placeholder: 'FILE',
    help: 'what is allowed; without one and without --config, public destinations are allowed and recorded',
  },
  config: {
    kind: 'path',
    placeholder: 'FILE',
    holds: 'file',
    help: "a gateway's configuration, for credentials and authorities",
  },
  observe: {
    kind: 'flag',
    help: 'refuses nothing that is public; `job end` says what the policy would have refused',
  },
  while: {
    kind: 'number',
    placeholder: 'PID',
    min: 2,
    max: 4_194_304,
    help: 'ends, and removes everything, when this process has ended',
  },
  for: {
    kind: 'duration',
    placeholder: 'DURATION',
    msMax: 7 * 86_400_000,
    help: 'ends after this time, such as 90m; default: 6h',
  },
  ...sessionOptions,
} as const;

const begin = {
  kind: 'command',
  name: 'begin',
  summary: 'starts a session for the commands that follow, and prints its environment',
  description: [
    'Starts a gateway of its own, or a session with the one that --gateway names, prints the variables by which other commands find it, and leaves it running.',
    'This holds nobody: a command that runs as the same user can ignore the variables, and can end the session. `upstreamproxy run` starts a command that cannot.',
  ],
  forms: [
    'job begin --state DIR [--policy FILE …] [options]',
    'job begin --state DIR --gateway URL --token-file FILE [options]',
  ],
  arguments: [],
  options: { ...handedOn, ...environmentOptions },
  examples: [
    {
      line: 'upstreamproxy job begin --state job --policy policy.yaml > job.env',
      purpose: 'for a shell that reads the file: . ./job.env',
    },
    {
      line: 'upstreamproxy job begin --state "$RUNNER_TEMP/job" --format=github > "$GITHUB_ENV"',
      purpose: 'for the steps that follow on GitHub Actions, which observes them',
    },
  ],
} as const satisfies CommandDefinition;

const end = {
  kind: 'command',
  name: 'end',
  summary: 'ends that session, reports what it saw, and removes its folder',
  description: [
    'Lists on standard error what was refused. The files that it writes are escaped for their readers. It uploads nothing.',
    'It says so if the session had ended before the job.',
  ],
  forms: ['job end --state DIR [options]'],
  arguments: [],
  options: {
    state: {
      kind: 'path',
      placeholder: 'DIR',
      holds: 'folder',
      required: true,
      help: 'the folder of `job begin`, or of `run --state`',
    },
    summary: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'appends a summary in Markdown, with a policy that would allow what was observed',
    },
    sarif: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'writes what was refused there, in SARIF 2.1.0',
    },
    audit: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'keeps the audit there, in JSON lines; a new file',
    },
    annotations: {
      kind: 'choice',
      placeholder: 'FORM',
      help: 'prints what was refused for another program, on standard output',
      choices: { github: 'as workflow commands of GitHub Actions' },
    },
    about: {
      kind: 'value',
      placeholder: 'PATH',
      help: 'the file of the repository that annotations are about; default: the first policy',
    },
    'give-back': {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'appends the variables as they were before, as $GITHUB_ENV takes them',
    },
    'fail-on-denial': {
      kind: 'flag',
      help: 'exits with 1 after an alarm, an early end, or an unreadable audit; and, unless the job was observed, if something was refused that no rule denies by itself',
    },
  },
  examples: [
    { line: 'upstreamproxy job end --state job', purpose: 'for a person' },
    {
      line: 'upstreamproxy job end --state "$RUNNER_TEMP/job" --summary "$GITHUB_STEP_SUMMARY" --annotations=github --fail-on-denial',
      purpose: 'on GitHub Actions',
    },
  ],
  exits: { 1: 'something was refused, with --fail-on-denial' },
} as const satisfies CommandDefinition;

export const jobDefinition = {
  kind: 'group',
  name: 'job',
  summary: 'gives the commands of a CI job a session, and reports what it saw',
  question: 'what about the job?',
  actions: [begin, end],
} as const satisfies GroupDefinition;

export const jobSessionDefinition = {
  kind: 'command',
  name: 'job-session',
  summary: '"upstreamproxy job begin" starts it; use that',
  arguments: [],
  options: handedOn,
  examples: [],
  hidden: true,
} as const satisfies CommandDefinition;
