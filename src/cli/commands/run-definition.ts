// `upstreamproxy run`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { agentOptionTable } from './agent-options-table.ts';
import { jailOptionTable } from './jail-options-table.ts';

const own =
  'Without --gateway a gateway of its own is started, with a private folder below $XDG_STATE_HOME/upstreamproxy';

export const runDefinition = {
  kind: 'command',
  name: 'run',
  summary: 'runs a command behind the proxy',
  description: [
    "Runs the command so that all its HTTP and HTTPS goes through the gateway. Its exit code is the command's own.",
  ],
  arguments: [],
  command: 'the command to run, with its arguments',
  options: {
    policy: {
      kind: 'repeated',
      each: 'path',
      section: own,
      placeholder: 'FILE',
      help: 'what is allowed; without one and without --config, public destinations are allowed and recorded, without credentials of rules, and a list of what was contacted comes at the end',
    },
    config: {
      kind: 'path',
      section: own,
      placeholder: 'FILE',
      holds: 'file',
      help: "a gateway's configuration, for credentials and authorities; unless it or --policy names a policy, everything is refused",
    },
    observe: {
      kind: 'flag',
      section: own,
      help: 'refuses nothing that is public, whatever a policy says; with --state, `job end` says what --policy would have refused',
    },
    'follow-policy': {
      kind: 'flag',
      section: own,
      help: 'changes of the policy take effect while the command runs; only where the command cannot write those files',
    },
    state: {
      kind: 'path',
      section: own,
      placeholder: 'DIR',
      holds: 'folder',
      help: 'makes the private folder below this one instead; with --gateway, the folder gets what that gateway refused; `job end` reports it',
    },
    'home-credentials': {
      kind: 'choice',
      section: own,
      placeholder: 'WHAT',
      choices: {
        read: 'the command sees placeholders in files such as .npmrc, pip.conf and .netrc; the gateway puts the secrets on requests that read, where they belong',
        write: 'the same, also on requests that write',
        off: 'entries with secrets are left out of what the command sees',
      },
      otherwise: 'read',
      help: 'what happens to the secrets in files of the home (docs/reference/jail.md)',
    },
    ui: {
      kind: 'flag',
      section: own,
      help: 'serves the console on loopback, and prints a link to it that works once, within two minutes',
    },
    open: { kind: 'flag', section: own, help: 'with --ui: opens that link in the browser of this user' },
    'ui-by-address': {
      kind: 'flag',
      section: own,
      help: 'with --ui: at 127.0.0.1, for a browser that cannot resolve LABEL.localhost; the console is then less isolated (docs/guides/see-what-agents-do.md)',
    },
    ...agentOptionTable,
    ...jailOptionTable,
    secret: {
      kind: 'repeated',
      each: 'text',
      section: own,
      placeholder: 'NAME@HOST',
      help: 'the command gets a placeholder in the variable NAME; the gateway puts the secret on requests to HOST',
    },
    'keep-env': {
      kind: 'repeated',
      each: 'text',
      section: own,
      placeholder: 'NAME',
      help: 'the command gets the variable NAME as it is, though it is known to hold a secret (docs/reference/jail.md)',
    },
    'pass-env': {
      kind: 'value',
      placeholder: 'NAMES',
      help: 'the command gets only these variables, separated by commas, and those that this program sets; default: all',
    },
    posture: { kind: 'flag', help: 'prints on stderr what could be hardened' },
  },
  examples: [
    { line: 'upstreamproxy run -- npm ci', purpose: 'observes what an installation contacts' },
    {
      line: 'upstreamproxy run --policy policy.yaml -- npm ci',
      purpose: 'allows what the policy allows, and nothing else',
    },
    {
      line: 'upstreamproxy run --ui -- bash',
      purpose: 'shows in the browser what the commands of a shell ask for',
    },
    {
      line: 'upstreamproxy run --gateway https://gateway.example.com:8443 --gateway-ca gateway-ca.pem --token-file token -- npm ci',
      purpose: 'in a container, with a gateway outside',
    },
  ],
} as const satisfies CommandDefinition;
