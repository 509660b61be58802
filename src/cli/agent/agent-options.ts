// The options that `run` and `agent` share: where the gateway is, and the token for it.

import { lstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { InitOptions } from '../../agent/init.ts';
import { parseDatagramMappings } from '../../agent/relay/datagram-mapping.ts';
import { defaultTokenFile } from '../../agent/uplink/token.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { agentOptionTable } from '../commands/agent-options-table.ts';
import type { CommonValues, OptionValues } from '../definition/command-definition.ts';
import { quoted } from '../definition/option-value.ts';
import { isSingleFile } from '../terminal/argument-marks.ts';
import { standardErrorLog } from '../terminal/standard-error-log.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

type AgentValues = OptionValues<typeof agentOptionTable> & CommonValues;

export interface AgentOptions {
  /** Undefined: none was named. */
  readonly gatewayUrl: string | undefined;
  /** PEM. */
  readonly gatewayCa: string | undefined;
  readonly gatewayPins: readonly string[] | undefined;
  readonly tokenFile: string | undefined;
  readonly tokenFd: number | undefined;
  readonly relayPort: number | 'off';
  /** Absolute. */
  readonly relaySocket: string | undefined;
  readonly tlsEndsIn: 'agent' | 'gateway';
  readonly homeFiles: boolean;
  readonly systemStore: boolean;
  readonly captureLoopback: boolean;
  readonly datagrams: readonly string[];
  readonly onFailure: 'exit' | 'continue';
  readonly dangerouslyAllowUnhardened: boolean;
  readonly quiet: boolean;
}

type OwnEnvironment = Readonly<Record<string, string | undefined>>;

/** Reads and checks the shared options; options win over the environment. Throws `usage`. */
export async function readAgentOptions(
  values: AgentValues,
  environment: OwnEnvironment,
): Promise<AgentOptions> {
  const gatewayUrl = values.gateway ?? nonEmpty(environment['UPSTREAMPROXY_GATEWAY']);
  const caFile = values['gateway-ca'] ?? nonEmpty(environment['UPSTREAMPROXY_GATEWAY_CA']);
  const tokenFd = values['token-fd'];
  // A token that the command line names is not doubled by one of the environment.
  const named =
    values['token-file'] ??
    (tokenFd === undefined ? nonEmpty(environment['UPSTREAMPROXY_TOKEN_FILE']) : undefined);
  const tokenFile =
    named ?? (tokenFd === undefined && gatewayUrl !== undefined ? usualTokenFile() : undefined);
  if (tokenFile !== undefined && tokenFd !== undefined) {
    throw new ProxyError('usage', 'give --token-file or --token-fd, not both');
  }
  if (gatewayUrl !== undefined && tokenFile === undefined && tokenFd === undefined) {
    throw new ProxyError(
      'usage',
      `a session with ${gatewayUrl} needs a token: --token-file FILE or --token-fd N; there is none at ${defaultTokenFile}`,
    );
  }
  if (gatewayUrl === undefined && values['gateway-pin'] !== undefined)
    throw new ProxyError('usage', 'a gateway pin is given but no gateway: --gateway URL');
  if (gatewayUrl === undefined && (tokenFile !== undefined || tokenFd !== undefined)) {
    throw new ProxyError('usage', 'a token is given but no gateway: --gateway URL');
  }
  return {
    gatewayUrl,
    gatewayCa: caFile === undefined ? undefined : await readCa(caFile),
    gatewayPins: values['gateway-pin'],
    tokenFile,
    tokenFd,
    ...relayPlace(values),
    tlsEndsIn: values['tls-ends-in'] ?? tlsEndOf(environment['UPSTREAMPROXY_TLS_ENDS_IN']),
    homeFiles: values['home-files'],
    systemStore: values['system-store'],
    captureLoopback: values['capture-loopback'],
    datagrams: datagramsOf(values.udp),
    onFailure: values['on-failure'],
    dangerouslyAllowUnhardened: values['dangerously-allow-unhardened'],
    quiet: values.quiet,
  };
}

function datagramsOf(texts: readonly string[] = []): readonly string[] {
  parseDatagramMappings(texts);
  return texts;
}

function tlsEndOf(text: string | undefined): AgentOptions['tlsEndsIn'] {
  const place = nonEmpty(text) ?? 'agent';
  if (place === 'agent' || place === 'gateway') return place;
  throw new ProxyError('usage', `UPSTREAMPROXY_TLS_ENDS_IN is agent or gateway, not ${quoted(place)}`);
}

function relayPlace(values: AgentValues): Pick<AgentOptions, 'relayPort' | 'relaySocket'> {
  const { 'relay-port': port, 'relay-socket': socket } = values;
  if (port === 'off' && socket === undefined)
    throw new ProxyError('usage', '--relay-port off needs --relay-socket PATH');
  return { relayPort: port, relaySocket: socket === undefined ? undefined : resolve(socket) };
}

/** The options as the library takes them. This process is the agent's own, so its environment is scrubbed. */
export function initOptions(options: AgentOptions): InitOptions {
  const { gatewayUrl, gatewayCa, gatewayPins, tokenFile, tokenFd, relayPort } = options;
  const { relaySocket, dangerouslyAllowUnhardened } = options;
  return {
    ...(gatewayPins === undefined ? {} : { gatewayPins }),
    ...(gatewayUrl === undefined ? {} : { gatewayUrl }),
    ...(gatewayCa === undefined ? {} : { gatewayCa }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(tokenFd === undefined ? {} : { tokenFd }),
    relayPort,
    ...(relaySocket === undefined ? {} : { relaySocket }),
    tlsEndsIn: options.tlsEndsIn,
    dangerouslyAllowUnhardened,
    homeFiles: options.homeFiles,
    systemStore: options.systemStore,
    captureLoopback: options.captureLoopback,
    datagrams: options.datagrams,
    connectCommand: ownCommand(),
    scrubEnvironment: true,
    logger: standardErrorLog(),
    baseEnvironment: workloadEnvironment(process.env),
  };
}

/** Whether something is placed outside of the session's own folder, which a killed agent would leave. */
export function changesContainer({ homeFiles, systemStore, captureLoopback }: AgentOptions): boolean {
  return homeFiles || systemStore || captureLoopback;
}

/** How a shell starts this program: the launcher of the package, or the single file. */
export function ownCommand(): readonly string[] {
  if (isSingleFile()) return [process.execPath];
  return [fileURLToPath(new URL('../../../bin/upstreamproxy', import.meta.url))];
}

/** Where sandboxes put it, if it is there. */
function usualTokenFile(): string | undefined {
  return lstatSync(defaultTokenFile, { throwIfNoEntry: false }) === undefined ? undefined : defaultTokenFile;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

async function readCa(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const message = `cannot read --gateway-ca ${file}: ${faultReason(error)}`;
    throw new ProxyError('config_invalid', message, { cause: error });
  }
  // It goes on as text, which is taken for a path where it is no PEM. Another file, such as the token's, is not repeated.
  if (text.includes('-----BEGIN')) return text;
  throw new ProxyError('config_invalid', `--gateway-ca ${file} is not made of PEM certificates`);
}
