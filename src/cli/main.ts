// The program: picks the command, prints errors as one line, ends with the code of the error table.

import { asProxyError, ProxyError } from '../protocol/error.ts';
import { typedArguments } from './argument-marks.ts';
import type { Command } from './command.ts';
import { packageVersion } from './version.ts';

// Each is loaded when it is used: the agent must not load a gateway, and `run` starts in few milliseconds.
const commands = new Map<string, () => Promise<Command>>([
  ['run', async () => (await import('./run.ts')).runCommand],
  ['agent', async () => (await import('./agent.ts')).agentCommand],
  ['gateway', async () => (await import('./gateway.ts')).gatewayCommand],
  ['token', async () => (await import('./token.ts')).tokenCommand],
  ['env', async () => (await import('./env.ts')).envCommand],
  ['ca', async () => (await import('./ca.ts')).caCommand],
  ['audit', async () => (await import('./audit.ts')).auditCommand],
  ['policy', async () => (await import('./policy.ts')).policyCommand],
  // Not for people: `run` starts them, the first without --gateway.
  ['embedded-gateway', async () => (await import('./embedded-gateway-process.ts')).embeddedGatewayCommand],
  ['jail-helper', async () => (await import('./jail-helper.ts')).jailHelperCommand],
]);

const overview = `upstreamproxy gives code in a locked-down container the internet that a policy allows.

  upstreamproxy run [options] -- command …   runs a command behind the proxy
  upstreamproxy agent [options]              the agent alone; prints the environment for others
  upstreamproxy gateway --config FILE        the gateway, outside the container
  upstreamproxy token issue [options]        makes a session token
  upstreamproxy env [options]                prints the environment for a relay that runs
  upstreamproxy ca show [options]            prints the certificates of the gateway's authority
  upstreamproxy audit tail [options]         prints what went through the gateway
  upstreamproxy policy check|explain|learn   checks, explains and proposes policies
  upstreamproxy help [command]               more about a command
  upstreamproxy version
`;

async function main(args: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === 'version' || name === '--version' || name === '-v') {
    process.stdout.write(`upstreamproxy ${packageVersion()} (${runtimeName()})\n`);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') return await printHelp(rest[0]);
  const load = commands.get(name);
  if (load === undefined)
    throw new ProxyError('usage', `there is no command "${name}"; see: upstreamproxy help`);
  const command = await load();
  // What stands behind `--` belongs to the workload.
  const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
  if (own.includes('--help') || own.includes('-h')) return await printHelp(name);
  return await command.run(rest);
}

async function printHelp(name: string | undefined): Promise<number> {
  const load = name === undefined ? undefined : commands.get(name);
  if (name !== undefined && load === undefined) {
    throw new ProxyError('usage', `there is no command "${name}"; see: upstreamproxy help`);
  }
  process.stdout.write(load === undefined ? overview : (await load()).usage);
  return 0;
}

function runtimeName(): string {
  const bun = process.versions['bun'];
  return bun === undefined ? `node ${process.versions.node}` : `bun ${bun}`;
}

/** One line an error; a configuration with several faults has a line for each. */
function errorText({ code, message }: ProxyError): string {
  const lines = message.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  // Elsewhere a line break comes from a file name or a peer, and must not fake a second message.
  const messages = code === 'config_invalid' ? lines : [lines.map((line) => line.trim()).join('; ')];
  return messages.map((text) => `upstreamproxy: ${text} [${code}]\n`).join('');
}

// `audit tail | head` closes our output: that is an end, not a fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 74));

try {
  process.exit(await main(typedArguments(process.argv.slice(2))));
} catch (thrown) {
  const error = asProxyError(thrown);
  process.stderr.write(errorText(error));
  // A fault of our own is worth its stack, where somebody asks for it.
  if (error.code === 'internal' && process.env['UPSTREAMPROXY_DEBUG'] !== undefined) console.error(thrown);
  process.exit(error.exitCode);
}
