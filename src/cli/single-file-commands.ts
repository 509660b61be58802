// Which commands the single files have, by name. No command is loaded by it: packages and pages for man(1) are made of it too.

/** What a container needs. `jail-helper` is not for people: `run` starts it. */
export const agentCommands: ReadonlySet<string> = new Set([
  'run',
  'agent',
  'env',
  'doctor',
  'cleanup',
  'connect',
  'jail-helper',
]);

/** What an operator needs where the gateway is; `run`, which starts other programs of ours, is not among them. */
export const gatewayCommands: ReadonlySet<string> = new Set([
  'init',
  'gateway',
  'gateway-worker',
  'token',
  'ca',
  'keys',
  'identity',
  'audit',
  'session',
  'access',
  'operator',
  'login',
  'context',
  'store',
  'policy',
  'explain',
  'upgrade',
]);
