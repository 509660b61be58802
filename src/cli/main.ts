// The program with all its commands.

import { runProgram, type CommandTable } from './terminal/program.ts';

// Each is loaded when it is used: the agent must not load a gateway, and `run` starts in few milliseconds.
const commands: CommandTable = new Map([
  ['run', async () => (await import('./run/run.ts')).runCommand],
  ['agent', async () => (await import('./agent/agent.ts')).agentCommand],
  ['gateway', async () => (await import('./gateway/gateway.ts')).gatewayCommand],
  ['token', async () => (await import('./gateway/token.ts')).tokenCommand],
  ['env', async () => (await import('./agent/env.ts')).envCommand],
  ['doctor', async () => (await import('./agent/doctor.ts')).doctorCommand],
  ['connect', async () => (await import('./agent/connect.ts')).connectCommand],
  ['cleanup', async () => (await import('./agent/cleanup.ts')).cleanupCommand],
  ['ca', async () => (await import('./gateway/ca.ts')).caCommand],
  ['audit', async () => (await import('./operator/audit.ts')).auditCommand],
  ['session', async () => (await import('./operator/session.ts')).sessionCommand],
  ['access', async () => (await import('./operator/access.ts')).accessCommand],
  ['policy', async () => (await import('./policy/policy.ts')).policyCommand],
  // Not for people: `run` starts them, the first without --gateway.
  [
    'embedded-gateway',
    async () => (await import('./run/embedded-gateway-process.ts')).embeddedGatewayCommand,
  ],
  ['jail-helper', async () => (await import('./run/jail-helper.ts')).jailHelperCommand],
]);

const overview = `upstreamproxy gives code in a locked-down container the internet that a policy allows.

  upstreamproxy run [options] -- command …   runs a command behind the proxy
  upstreamproxy agent [options]              the agent alone; prints the environment for others
  upstreamproxy gateway --config FILE        the gateway, outside the container
  upstreamproxy token issue [options]        makes a session token
  upstreamproxy env [options]                prints the environment for a relay that runs
  upstreamproxy doctor [CLIENT …]            which clients find the relay here, and what helps the others
  upstreamproxy connect HOST PORT            standard input and output to HOST:PORT through the relay
  upstreamproxy cleanup                      removes what killed sessions have left
  upstreamproxy ca show [options]            prints the certificates of the gateway's authority
  upstreamproxy audit tail [options]         prints what went through the gateway
  upstreamproxy session list|revoke          lists sessions, ends one
  upstreamproxy access list|grant|deny|revoke   what workloads asked for, and the responses
  upstreamproxy policy check|explain|learn|replay|diff   checks, explains, proposes, tries and compares policies
  upstreamproxy help [command]               more about a command
  upstreamproxy version
`;

await runProgram({ commands, overview });
