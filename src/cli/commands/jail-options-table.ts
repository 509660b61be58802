// The options of the jail that `run` starts its command in.

import type { JailLayer } from '../../agent/jail/jail-plan.ts';
import type { OptionTable } from '../definition/command-definition.ts';

/** The layers that can be named, in the order in which they are entered. */
export const namedLayers = [
  'files',
  'ipc',
  'processes',
  'network',
  'no-new-privs',
  'landlock',
  'seccomp',
  'capabilities',
] as const satisfies readonly JailLayer[];

const section =
  'The command runs in a jail, from which it cannot read or signal the agent (docs/reference/jail.md)';

export const jailOptionTable = {
  isolate: {
    kind: 'choice',
    section,
    placeholder: 'WHAT',
    help: 'how much of the jail is required',
    choices: {
      auto: 'each layer that the kernel has, at least one; one line says what is missing',
      require: 'all layers, or nothing is started',
      off: 'no jail',
    },
    otherwise: 'auto',
  },
  'jail-layers': {
    kind: 'list',
    section,
    placeholder: 'LIST',
    choices: namedLayers,
    help: 'only these layers, separated by commas',
  },
  'fs-write': {
    kind: 'repeated',
    each: 'path',
    section,
    placeholder: 'PATH',
    help: 'the command can write only below this path',
  },
  'fs-read': {
    kind: 'repeated',
    each: 'path',
    section,
    placeholder: 'PATH',
    help: 'the command sees this path and everything below, even where that would be hidden (docs/reference/jail.md)',
  },
  user: {
    kind: 'value',
    section,
    placeholder: 'USER[:GROUP]',
    help: 'runs the command as that user, if root starts this',
  },
  'allow-local': {
    kind: 'repeated',
    each: 'text',
    section,
    placeholder: 'PORT',
    help: 'the command reaches this port of the loopback address outside the jail, past the gateway; its network is then not isolated',
  },
  'capture-only': {
    kind: 'flag',
    section,
    help: "no variable names the proxy: the command's connections are captured (docs/reference/capture.md); needs the layer network, or --capture-loopback",
  },
  'capture-ports': {
    kind: 'choice',
    section,
    placeholder: 'WHAT',
    help: 'which ports are captured',
    // No value by default: with --isolate=off it may not be given.
    choices: {
      policy: '80, 443 and the ports that its rules name',
      all: 'every port; by default they are where the kernel has nf_tables, and those of the policy elsewhere',
    },
  },
} as const satisfies OptionTable;
