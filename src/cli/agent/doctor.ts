// `upstreamproxy doctor`: inside the container, which clients find the relay and trust the gateway, and what helps the others.

import { homedir } from 'node:os';
import { clientTable } from '../../agent/doctor/client-table.ts';
import { type ClientReport, type DoctorReport, examine } from '../../agent/doctor/doctor.ts';
import type { Problem } from '../../agent/doctor/environment-problems.ts';
import { relayAddressOf } from '../../agent/doctor/examine-settings.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ProxyError } from '../../protocol/error.ts';
import { doctorDefinition } from '../commands/doctor-definition.ts';
import { suggestion } from '../../protocol/nearest-name.ts';
import { quoted } from '../definition/option-value.ts';
import type { Input } from '../definition/command-definition.ts';
import { commandOf } from '../terminal/command.ts';
import { displacedNote } from './displaced-note.ts';
import { painted, standardOutput } from '../terminal/terminal-stream.ts';
import { jsonLine, printableText } from '../terminal/text-table.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

async function doctor({ options, arguments: named }: Input<typeof doctorDefinition>): Promise<number> {
  const { json, list } = options;
  const known = clientTable.map(({ id }) => id);
  if (list) {
    const clients = clientTable.map(({ id: client, commands }) => ({ client, commands }));
    process.stdout.write(json ? clients.map(jsonLine).join('') : `${known.join('\n')}\n`);
    return 0;
  }
  const asked = named.CLIENT.flatMap(clientsOf);
  const environment = workloadEnvironment(process.env);
  const report = await examine({
    environment,
    home: environment['HOME'] ?? homedir(),
    relay: relayOption(options.relay ?? environment['https_proxy'] ?? environment['HTTPS_PROXY']),
    clients: asked,
    prove: !options['no-proof'],
    limits: defaultLimits,
    ...(json
      ? {}
      : {
          onClient: (client: ClientReport) => void process.stdout.write(clientText(client)),
          // Without it nothing works, so the rest would only hide it.
          onNoSession: (problem: Problem) => void process.stdout.write(`${problemText(problem)}\n`),
        }),
  });
  process.stdout.write(json ? jsonLine(report) : summary(report));
  return report.ok ? 0 : 1;
}

/** By the name of a row, or of a program that some rows are about. */
function clientsOf(name: string): readonly string[] {
  const ids = clientTable.map(({ id }) => id);
  if (ids.includes(name)) return [name];
  const byCommand = clientTable.filter(({ commands }) => commands.includes(name)).map(({ id }) => id);
  if (byCommand.length > 0) return byCommand;
  const hint = suggestion(name, [...ids, ...clientTable.flatMap(({ commands }) => commands)]);
  throw new ProxyError(
    'usage',
    `${quoted(name)} is not a client that it knows${hint}; see: upstreamproxy doctor --list`,
  );
}

function mark(holds: boolean): string {
  return painted(standardOutput(), holds ? 'good' : 'bad', holds ? '✓' : '✗');
}

function problemText({ message, fix }: Problem): string {
  return `${mark(false)} ${printableText(message)}\n    fix: ${printableText(fix)}\n`;
}

function relayOption(text: string | undefined): { host: string; port: number } | undefined {
  if (text === undefined || text === '') return undefined;
  const relay = relayAddressOf(text);
  if (relay === undefined)
    throw new ProxyError('usage', 'the relay is an address of the form http://127.0.0.1:PORT');
  return relay;
}

function clientText({ client, version, proxy, trust, proof, works, fix }: ClientReport): string {
  const proved =
    proof === undefined ? 'not proved' : proof.passed ? `proved in ${proof.durationMs} ms` : 'proof failed';
  const lines = [
    `${mark(works)} ${client} ${version ?? ''}`.trimEnd(),
    `    finds the relay ${mark(proxy.holds)} ${proxy.reason ?? proxy.by}`,
    `    trusts the gateway ${mark(trust.holds)} ${trust.reason ?? trust.by}; ${proved}`,
  ];
  const [first = '', ...rest] = lines;
  const detail = works ? [] : rest;
  const short = works ? `${first}  ${proxy.by}; ${trust.by}; ${proved}` : first;
  if (!works && proof?.said !== undefined) detail.push(`    it said: ${printableText(proof.said)}`);
  if (!works && proof !== undefined) detail.push(`    tried: ${printableText(proof.command)}`);
  if (fix !== undefined) detail.push(`    fix: ${fix}`);
  return `${[short, ...detail].join('\n')}\n`;
}

function summary({
  problems,
  clients,
  relay,
  captured,
  session,
  clockSkewMs,
  tlsEndsIn,
  jail,
  displaced,
}: DoctorReport): string {
  const working = clients.filter(({ works }) => works).length;
  const way = [
    ...(relay === undefined ? [] : [`relay ${relay}`]),
    ...(captured ? ['the network leads to it'] : []),
  ];
  const reached =
    session === undefined
      ? 'the gateway was not reached'
      : `the gateway responds in session ${session} (${way.join(', ')}; clock ${(clockSkewMs ?? 0) / 1000} s apart)`;
  // What kept the gateway from being reached stands at the beginning.
  const told = problems.slice(session === undefined ? 1 : 0).map(problemText);
  const end = tlsEndsIn === undefined ? '' : `TLS of clients ends in the ${tlsEndsIn}\n`;
  return `\n${told.join('')}${reached}\n${end}${jailText(jail)}\n${displacedNote(displaced)}${working} of ${clients.length} clients work\n`;
}

function jailText({ noNewPrivileges, seccomp, capabilities, networkIsolated }: DoctorReport['jail']): string {
  const held = [
    ...(noNewPrivileges ? ['no new privileges'] : []),
    ...(seccomp ? ['seccomp'] : []),
    ...(capabilities === 0 ? ['no capabilities'] : []),
    ...(networkIsolated ? ['a network of its own'] : []),
  ];
  return `around this command: ${held.length === 0 ? 'no jail' : held.join(', ')}`;
}

export const doctorCommand = commandOf(doctorDefinition, doctor);
