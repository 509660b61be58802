// `upstreamproxy gateway`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { jsonObjectOption } from './gateway-place-options.ts';

export const gatewayDefinition = {
  kind: 'command',
  name: 'gateway',
  summary: 'runs the gateway, outside the container',
  description: [
    'Serves agents on one TLS port until SIGTERM.',
    'SIGTERM drains the gateway: `/readyz` says so at once, and agents open their next connections at another gateway or at the next process. Running exchanges have `drainTimeoutMs` to end. Then the audit is written, and the exit code is 0. A second SIGTERM ends the gateway at once. `gateway drain` does the same for the gateway that runs with that configuration on this machine, as the same user or root, and waits until it has ended.',
    'SIGUSR2 reads the policy files again, which the gateway also checks by itself, the certificates that rules pin, the authority and the signing key.',
    'If a service manager sets `NOTIFY_SOCKET`, the gateway tells it of starts, reloads and ends, and SIGHUP is a reload too. Without it, SIGHUP ends the gateway. Sockets that the service manager opened (`LISTEN_FDS`) are named `gateway`, `metrics` or `admin`, and have to be where the configuration says (docs/guides/service.md).',
  ],
  forms: ['gateway --config FILE [options]', 'gateway drain --config FILE'],
  arguments: [{ name: 'drain', help: 'drains and ends the running gateway, and waits until it has ended' }],
  options: {
    config: {
      kind: 'path',
      short: 'c',
      placeholder: 'FILE',
      holds: 'file',
      required: true,
      help: 'configuration in YAML (docs/reference/configuration.md)',
    },
    user: {
      kind: 'value',
      placeholder: 'USER[:GROUP]',
      help: 'for a gateway that root starts: becomes that user, by name or number, once ports and files are open, and gives it the state folder',
    },
    workers: {
      kind: 'value',
      placeholder: 'N',
      help: 'processes that serve, or auto for one on each core; default: as configured, or 1',
    },
    check: {
      kind: 'flag',
      help: 'checks the configuration with the files that it names, prints the warnings of its policy, and ends',
    },
    json: { ...jsonObjectOption, help: 'with --check: one JSON object instead of text' },
  },
  examples: [
    { line: 'upstreamproxy gateway --config gateway.yaml', purpose: 'serves until it is told to end' },
    { line: 'upstreamproxy gateway --config gateway.yaml --check', purpose: 'before a restart' },
    {
      line: 'upstreamproxy gateway drain --config gateway.yaml',
      purpose: 'before another one takes its place',
    },
  ],
  lists: { what: 'with --check: the file, whether it is good, and the warnings', as: 'object' },
} as const satisfies CommandDefinition;
