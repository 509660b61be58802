// The program of the single-file agent: what a container needs, and no gateway.

import { runProgram, type CommandTable } from './terminal/program.ts';
import { setAsideForWorkload } from './terminal/workload-environment.ts';

const commands: CommandTable = new Map([
  ['run', async () => (await import('./run/run.ts')).runCommand],
  ['agent', async () => (await import('./agent/agent.ts')).agentCommand],
  ['env', async () => (await import('./agent/env.ts')).envCommand],
  ['doctor', async () => (await import('./agent/doctor.ts')).doctorCommand],
  ['cleanup', async () => (await import('./agent/cleanup.ts')).cleanupCommand],
  ['connect', async () => (await import('./agent/connect.ts')).connectCommand],
  // Not for people: `run` starts it.
  ['jail-helper', async () => (await import('./run/jail-helper.ts')).jailHelperCommand],
]);

const overview = `upstreamproxy-agent gives code in a locked-down container the internet that a policy allows.

  upstreamproxy-agent run --gateway URL [options] -- command …   runs a command behind the proxy
  upstreamproxy-agent agent --gateway URL [options]              the agent alone; prints the environment for others
  upstreamproxy-agent env [options]                              prints the environment for a relay that runs
  upstreamproxy-agent doctor [CLIENT …]                          which clients find the relay here, and what helps the others
  upstreamproxy-agent connect HOST PORT                          standard input and output through the relay
  upstreamproxy-agent cleanup                                    removes what killed sessions have left
  upstreamproxy-agent help [command]                             more about a command
  upstreamproxy-agent version
`;

// What bin/upstreamproxy does before the runtime starts; this runtime reads none of these.
setAsideForWorkload(process.env);
// Not awaited: the bundle is CommonJS, whose modules load their built-in ones late. It ends the process itself.
void runProgram({ commands, overview });
