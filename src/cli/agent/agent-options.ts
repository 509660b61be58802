// The options that `run` and `agent` share: where the gateway is, and the token for it.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { InitOptions } from '../../agent/init.ts';
import { ProxyError } from '../../protocol/error.ts';
import { isSingleFile } from '../terminal/argument-marks.ts';
import { choiceOption, numberOption } from '../terminal/command.ts';
import { standardErrorLog } from '../terminal/standard-error-log.ts';
import { workloadEnvironment } from '../terminal/workload-environment.ts';

/** For parseArgs. Each that has a variable in the usage text below can come from the environment. */
export const agentOptionTable = {
  gateway: { type: 'string' },
  'gateway-ca': { type: 'string' },
  'gateway-pin': { type: 'string', multiple: true },
  'token-file': { type: 'string' },
  'token-fd': { type: 'string' },
  'relay-port': { type: 'string' },
  'relay-socket': { type: 'string' },
  'home-files': { type: 'boolean' },
  'system-store': { type: 'boolean' },
  'capture-loopback': { type: 'boolean' },
  'on-failure': { type: 'string' },
  'dangerously-allow-unhardened': { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
} as const;

export const agentOptionUsage = `  --gateway URL         https:// address of the gateway (UPSTREAMPROXY_GATEWAY)
  --gateway-ca FILE     PEM of the authority that the gateway's certificate must come from
                        (UPSTREAMPROXY_GATEWAY_CA); default: the system's
  --gateway-pin PIN     sha256/BASE64 of a public key that must be in the gateway's chain too; may be given several
                        times, one of them must fit; \`upstreamproxy ca show --server --summary\` prints it
  --token-file FILE     session token, mode 0600; it is erased once the session stands
                        (UPSTREAMPROXY_TOKEN_FILE)
  --token-fd N          session token from an inherited file descriptor instead
  --relay-port PORT     port of the relay on the loopback address; default: any free one
  --relay-socket PATH   a Unix socket for the relay too, for this user alone (curl --unix-socket);
                        for \`agent\`, --relay-port off then leaves the port out
  --home-files          files in HOME for svn, ssh, aria2, lftp, links, s3cmd, yt-dlp and Chromium, where there are
                        none; removed again
  --system-store        as root: the gateway's CA in the system's trust stores; removed again
  --capture-loopback    clients that know of no proxy are served too, where the command has no network of its own:
                        /etc/resolv.conf leads all of this container to the agent, and is put back
                        (docs/reference/capture.md)
  --on-failure WHAT     exit (default): without a session nothing is started;
                        continue: the command runs without the proxy
  --dangerously-allow-unhardened
                        reads the token even where the process cannot be protected
  -q, --quiet           no lines about what was done
`;

interface ParsedAgentOptions {
  readonly gateway?: string | undefined;
  readonly 'gateway-ca'?: string | undefined;
  readonly 'gateway-pin'?: readonly string[] | undefined;
  readonly 'token-file'?: string | undefined;
  readonly 'token-fd'?: string | undefined;
  readonly 'relay-port'?: string | undefined;
  readonly 'relay-socket'?: string | undefined;
  readonly 'home-files'?: boolean | undefined;
  readonly 'system-store'?: boolean | undefined;
  readonly 'capture-loopback'?: boolean | undefined;
  readonly 'on-failure'?: string | undefined;
  readonly 'dangerously-allow-unhardened'?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

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
  readonly homeFiles: boolean;
  readonly systemStore: boolean;
  readonly captureLoopback: boolean;
  readonly onFailure: 'exit' | 'continue';
  readonly dangerouslyAllowUnhardened: boolean;
  readonly quiet: boolean;
}

type OwnEnvironment = Readonly<Record<string, string | undefined>>;

/** Reads and checks the shared options; options win over the environment. Throws `usage`. */
export async function readAgentOptions(
  values: ParsedAgentOptions,
  environment: OwnEnvironment,
): Promise<AgentOptions> {
  const gatewayUrl = values.gateway ?? nonEmpty(environment['UPSTREAMPROXY_GATEWAY']);
  const caFile = values['gateway-ca'] ?? nonEmpty(environment['UPSTREAMPROXY_GATEWAY_CA']);
  const tokenFd = values['token-fd'];
  // A token that the command line names is not doubled by one of the environment.
  const tokenFile =
    values['token-file'] ??
    (tokenFd === undefined ? nonEmpty(environment['UPSTREAMPROXY_TOKEN_FILE']) : undefined);
  if (tokenFile !== undefined && tokenFd !== undefined) {
    throw new ProxyError('usage', 'give --token-file or --token-fd, not both');
  }
  if (gatewayUrl !== undefined && tokenFile === undefined && tokenFd === undefined) {
    throw new ProxyError(
      'usage',
      `a session with ${gatewayUrl} needs a token: --token-file FILE or --token-fd N`,
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
    tokenFd:
      tokenFd === undefined
        ? undefined
        : numberOption('token-fd', tokenFd, { min: 3, max: 65_535, otherwise: 3 }),
    ...relayPlace(values),
    homeFiles: values['home-files'] ?? false,
    systemStore: values['system-store'] ?? false,
    captureLoopback: values['capture-loopback'] ?? false,
    onFailure: choiceOption('on-failure', values['on-failure'], ['exit', 'continue']),
    dangerouslyAllowUnhardened: values['dangerously-allow-unhardened'] ?? false,
    quiet: values.quiet ?? false,
  };
}

function relayPlace(values: ParsedAgentOptions): Pick<AgentOptions, 'relayPort' | 'relaySocket'> {
  const { 'relay-port': port, 'relay-socket': socket } = values;
  if (port === 'off' && socket === undefined)
    throw new ProxyError('usage', '--relay-port off needs --relay-socket PATH');
  const bounds = { min: 0, max: 65_535, otherwise: 0 };
  return {
    relayPort: port === 'off' ? port : numberOption('relay-port', port, bounds),
    relaySocket: socket === undefined ? undefined : resolve(socket),
  };
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
    dangerouslyAllowUnhardened,
    homeFiles: options.homeFiles,
    systemStore: options.systemStore,
    captureLoopback: options.captureLoopback,
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

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

async function readCa(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ProxyError('config_invalid', `cannot read --gateway-ca ${file}: ${code ?? message}`, {
      cause: error,
    });
  }
}
