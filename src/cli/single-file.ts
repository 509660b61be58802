// The program of the single-file agent: what a container needs, and no gateway.

import { agentDefinitions } from './single-file-commands.ts';
import { runProgram, type CommandTable } from './terminal/program.ts';
import { setAsideForWorkload, trustNobodyUnnamed } from './terminal/workload-environment.ts';

const commands: CommandTable = new Map([
  ['run', async (args?: readonly string[]) => await (await import('./run/load-run.ts')).loadRun(args)],
  ['agent', async () => (await import('./agent/agent.ts')).agentCommand],
  ['env', async () => (await import('./agent/env.ts')).envCommand],
  ['doctor', async () => (await import('./agent/doctor.ts')).doctorCommand],
  ['cleanup', async () => (await import('./agent/cleanup.ts')).cleanupCommand],
  ['connect', async () => (await import('./agent/connect.ts')).connectCommand],
  ['session', async () => (await import('./run/container-session.ts')).containerSessionCommand],
  // Not for people: `run` starts the one, git the other.
  ['jail-helper', async () => (await import('./run/jail-helper.ts')).jailHelperCommand],
  ['git-sign', async () => (await import('./agent/git-sign.ts')).gitSignCommand],
]);

// What bin/upstreamproxy does before the runtime starts; this runtime reads none of these.
setAsideForWorkload(process.env);
trustNobodyUnnamed(process.env);
// Not awaited: the bundle is CommonJS, whose modules load their built-in ones late. It ends the process itself.
void runProgram({
  name: 'upstreamproxy-agent',
  commands,
  definitions: async () => {
    const { definitions } = await import('./commands/definitions.ts');
    return agentDefinitions(definitions);
  },
});
