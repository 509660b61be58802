// The commands by their names.

import type { CommandTable } from './terminal/program.ts';

// Each is loaded when it is used: the agent must not load a gateway, and `run` starts in few milliseconds.
export const commands: CommandTable = new Map([
  ['job', async () => (await import('./job/job.ts')).jobCommand],
  ['init', async () => (await import('./gateway/init.ts')).initCommand],
  ['run', async (args?: readonly string[]) => await (await import('./run/load-run.ts')).loadRun(args)],
  ['agent', async () => (await import('./agent/agent.ts')).agentCommand],
  ['gateway', async () => (await import('./gateway/gateway.ts')).gatewayCommand],
  ['token', async () => (await import('./gateway/token.ts')).tokenCommand],
  ['env', async () => (await import('./agent/env.ts')).envCommand],
  ['doctor', async () => (await import('./agent/doctor.ts')).doctorCommand],
  ['git-sign', async () => (await import('./agent/git-sign.ts')).gitSignCommand],
  ['connect', async () => (await import('./agent/connect.ts')).connectCommand],
  ['cleanup', async () => (await import('./agent/cleanup.ts')).cleanupCommand],
  ['ca', async () => (await import('./gateway/ca.ts')).caCommand],
  ['credential', async () => (await import('./operator/credential.ts')).credentialCommand],
  ['keys', async () => (await import('./gateway/keys.ts')).keysCommand],
  ['identity', async () => (await import('./gateway/identity.ts')).identityCommand],
  ['audit', async () => (await import('./operator/audit.ts')).auditCommand],
  ['session', async () => (await import('./run/session.ts')).sessionCommand],
  ['access', async () => (await import('./operator/access.ts')).accessCommand],
  ['operator', async () => (await import('./operator/operator.ts')).operatorCommand],
  ['login', async () => (await import('./operator/login.ts')).loginCommand],
  ['context', async () => (await import('./operator/context.ts')).contextCommand],
  ['store', async () => (await import('./operator/store.ts')).storeCommand],
  ['policy', async () => (await import('./policy/policy.ts')).policyCommand],
  ['packages', async () => (await import('./policy/packages.ts')).packagesCommand],
  ['catalog', async () => (await import('./policy/catalog.ts')).catalogCommand],
  ['cache', async () => (await import('./gateway/cache.ts')).cacheCommand],
  ['upgrade', async () => (await import('./operator/upgrade.ts')).upgradeCommand],
  ['explain', async () => (await import('./help/explain.ts')).explainCommand],
  ['docs', async () => (await import('./help/docs.ts')).docsCommand],
  ['completion', async () => (await import('./help/completion.ts')).completionCommand],
  // Not for people: `run` and `gateway` start them, the first without --gateway.
  [
    'embedded-gateway',
    async () => (await import('./run/embedded-gateway-process.ts')).embeddedGatewayCommand,
  ],
  ['job-session', async () => (await import('./job/job-session.ts')).jobSessionCommand],
  ['gateway-worker', async () => (await import('./gateway/gateway-worker.ts')).gatewayWorkerCommand],
  ['ca-signer', async () => (await import('./gateway/ca-signer.ts')).caSignerCommand],
  ['pkcs11-sign', async () => (await import('./gateway/ca-signer.ts')).pkcs11SignCommand],
  ['jail-helper', async () => (await import('./run/jail-helper.ts')).jailHelperCommand],
]);
