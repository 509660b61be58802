// The ways out that the configuration names: proxies, scripts that choose one, addresses and interfaces of this machine.

import { readFile, stat } from 'node:fs/promises';
import { isAddressLiteral } from '../http/authority.ts';
import { directExit, proxyExit, type Exit } from '../net/exit.ts';
import { interfaceAddresses } from '../net/interface-addresses.ts';
import { fixedPlace, interfacePlace, type LocalPlace } from '../net/local-place.ts';
import { ProxyChain } from '../net/proxy-chain.ts';
import type { Resolver } from '../net/resolver.ts';
import { classifyAddress } from '../net/address-guard.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { Secret } from '../protocol/secret.ts';
import type { GatewayConfig } from './config/config.ts';
import {
  upstreamProxies,
  type ExitSettings,
  type UpstreamProxySettings,
} from './config/upstream-settings.ts';
import { openCredentialSource } from './credentials/sources/credential-source.ts';
import { PacExit } from './exits/pac-exit.ts';
import { pacKey } from './exits/pac-result.ts';
import { PacScript } from './exits/pac-script.ts';
import type { LoopGuard } from './forward/loop-guard.ts';

/** By the paths of the files. */
export interface UpstreamFiles {
  /** Certificates, PEM, for proxies with TLS. */
  readonly ca: ReadonlyMap<UpstreamProxySettings, readonly string[]>;
  readonly scripts: ReadonlyMap<string, string>;
}

interface ExitsInput {
  readonly config: GatewayConfig;
  readonly clock: () => number;
  readonly trust: readonly string[];
  readonly files: UpstreamFiles;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stack: AsyncDisposableStack;
  readonly loops: LoopGuard;
  readonly resolver: Resolver;
}

/** @throws ProxyError config_invalid for a script that is too long */
export async function readUpstreamFiles({ upstream }: GatewayConfig): Promise<UpstreamFiles> {
  const ca = new Map<UpstreamProxySettings, readonly string[]>();
  for (const { proxy } of upstreamProxies(upstream))
    ca.set(proxy, await Promise.all(proxy.ca.map((path) => readFile(path, 'utf8'))));
  const scripts = new Map<string, string>();
  for (const [name, { pac }] of Object.entries(upstream.exits)) {
    if (pac === undefined) continue;
    const { size } = await stat(pac.file);
    if (size > defaultLimits.pacBytesMax)
      throw new ProxyError(
        'config_invalid',
        `upstream.exits.${name}.pac.file: ${pac.file} is longer than ${String(defaultLimits.pacBytesMax)} bytes (pacBytesMax)`,
      );
    scripts.set(name, await readFile(pac.file, 'utf8'));
  }
  return { ca, scripts };
}

/** For a dialer: the exits by name, and the one of all that name none. */
export function openExits(input: ExitsInput): {
  readonly exits: ReadonlyMap<string, Exit>;
  readonly exit?: Exit;
} {
  const { proxy, exits: named, exit: usual } = input.config.upstream;
  const exits = new Map(
    Object.entries(named).map(([name, settings]) => [name, openExit(name, settings, input)]),
  );
  const exit =
    usual === undefined
      ? proxy === undefined
        ? undefined
        : proxyExit('proxy', openChain('upstream.proxy', proxy, undefined, input))
      : exits.get(usual);
  return { exits, ...(exit === undefined ? {} : { exit }) };
}

function openExit(name: string, settings: ExitSettings, input: ExitsInput): Exit {
  const { proxy, pac, from: addresses, interface: device } = settings;
  const from =
    device === undefined
      ? addresses.length === 0
        ? undefined
        : fixedPlace(addresses)
      : interfacePlace(device);
  const at = `upstream.exits.${name}`;
  if (proxy !== undefined) return proxyExit(name, openChain(`${at}.proxy`, proxy, from, input), from);
  if (pac === undefined) return directExit(name, from);
  const { resolver, config, files, stack } = input;
  const proxies = new Map(
    pac.proxies.map((one, i) => {
      const { protocol, host, port } = placeOf(one.url);
      const chain = openChain(`${at}.pac.proxies.${String(i)}`, one, from, input);
      return [pacKey(protocol, host, port), chain];
    }),
  );
  const script = stack.use(
    new PacScript({
      script: files.scripts.get(name) ?? '',
      limits: config.limits,
      resolve: async (host, principalId) => {
        if (isAddressLiteral(host) !== 0) return host;
        const found = await resolver.resolve(host.toLowerCase(), { principalId }).catch(() => []);
        return found.find((address) => isAddressLiteral(address) === 4) ?? null;
      },
      ownAddress: () => from?.().ipv4 ?? machineAddress(),
    }),
  );
  return new PacExit({ name, script, proxies, direct: pac.direct, from });
}

/** What browsers say of `myIpAddress`. */
function machineAddress(): string {
  const found = [...interfaceAddresses()].filter((address) => isAddressLiteral(address) === 4);
  return found.find((address) => classifyAddress(address) !== 'loopback') ?? '127.0.0.1';
}

function placeOf(url: string): { readonly protocol: string; readonly host: string; readonly port: number } {
  const { protocol, hostname, port } = new URL(url);
  return {
    protocol: protocol.slice(0, -1),
    host: hostname.replace(/^\[|\]$/g, '').toLowerCase(),
    port: Number(port || (protocol === 'https:' ? 443 : 80)),
  };
}

function openChain(
  at: string,
  proxy: UpstreamProxySettings,
  from: LocalPlace | undefined,
  { config, clock, trust, files, environment, loops }: ExitsInput,
): ProxyChain {
  const { protocol, host, port } = placeOf(proxy.url);
  const ca = files.ca.get(proxy) ?? [];
  const { credentials } = proxy;
  const source =
    credentials === undefined ? undefined : openCredentialSource(at, credentials.source, environment);
  return new ProxyChain({
    proxy: { host, port },
    ...(protocol === 'socks5' || protocol === 'socks5h' ? { protocol } : {}),
    from,
    noProxy: proxy.noProxy,
    limits: config.limits,
    via: (incoming) => loops.next(incoming),
    ...(protocol === 'https' ? { tls: { ca: ca.length === 0 ? trust : ca } } : {}),
    ...(source === undefined || credentials === undefined
      ? {}
      : {
          credentials: async () => {
            const secret = await source.read(clock());
            return new Secret(`${credentials.username}:${secret.reveal()}`);
          },
        }),
  });
}
