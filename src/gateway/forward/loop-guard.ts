// Connections that come back to this gateway: to its own port, or through the proxy that is its way out (RFC 9110 §7.6.3).

import { randomBytes } from 'node:crypto';
import { formatAuthority, isAddressLiteral } from '../../http/authority.ts';
import type { Authority } from '../../http/destination.ts';
import { classifyAddress, plainAddress } from '../../net/address-guard.ts';
import { interfaceAddresses } from '../../net/interface-addresses.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';

/** A name or an address with a comment for each; it is part of the key of what is kept for a connection. */
const viaCharactersMax = 256 * defaultLimits.proxyHopsMax;
// oxlint-disable-next-line no-control-regex -- they are what is looked for; only a tab stands in fields
const controls = /[\u0000-\u0008\u000a-\u001f\u007f]/;

export class LoopGuard {
  /** New with each process, and says nothing about it: proxies in between read it. */
  readonly pseudonym = randomBytes(9).toString('hex');
  #own: ReadonlySet<string> = new Set();
  #names: ReadonlySet<string> = new Set();
  readonly #operatorPorts: { readonly address: string; readonly port: number }[] = [];

  /** Under which the gateway itself responds. */
  listensAs(hosts: readonly string[], port: number): void {
    const lowerCase = hosts.map((host) => host.toLowerCase());
    this.#own = new Set(lowerCase.map((host) => formatAuthority({ host, port })));
    // What means this machine to everybody is nobody's public name.
    this.#names = new Set(
      lowerCase.filter(
        (host) => isAddressLiteral(host) === 0 && host !== 'localhost' && !host.endsWith('.localhost'),
      ),
    );
  }

  /**
   * Ports that are for operators alone: no rule leads there. Of a wildcard address every address of this machine is meant, and which
   * those are may change, so the port is closed at all of loopback and wherever `ownAddresses` are.
   */
  keepForOperators(address: string, port: number): void {
    this.#operatorPorts.push({ address: plainAddress(address), port });
  }

  /** @param address in its one spelling */
  isForOperators(address: string, port: number): boolean {
    return this.#operatorPorts.some((one) => {
      if (one.port !== port) return false;
      if (one.address !== '0.0.0.0' && one.address !== '::') return one.address === address;
      return classifyAddress(address) === 'loopback' || interfaceAddresses().has(address);
    });
  }

  /** A name under which agents trust the gateway: on no port there is a certificate of ours for it that they did not ask for. */
  isOwnName(host: string): boolean {
    return this.#names.has(host);
  }

  /** @param via the hops that the connection says it has behind it @throws ProxyError loop_detected */
  check(destination: Authority, via: string | undefined): void {
    const authority = formatAuthority(destination);
    if (this.#own.has(authority))
      throw new ProxyError('loop_detected', `${authority} is the gateway itself, which is no destination`);
    const hops = hopsOf(via);
    if (hops.includes(this.pseudonym))
      throw new ProxyError(
        'loop_detected',
        `the connection to ${authority} came through this gateway before: the proxy that is its way out leads back to it`,
      );
    if (hops.length > defaultLimits.proxyHopsMax)
      throw new ProxyError(
        'loop_detected',
        `the connection to ${authority} came through ${hops.length} proxies`,
      );
  }

  /** What is said to the next proxy. */
  next(via: string | undefined): string {
    const own = `1.1 ${this.pseudonym}`;
    return via === undefined ? own : `${via}, ${own}`;
  }
}

/**
 * What the other end of a tunnel says of its hops stands in the head for the next proxy: a line end in it would be the
 * begin of a field, or of a request, that nobody decided about. @throws ProxyError request_malformed
 */
export function requireFieldValue(via: string | undefined): void {
  if (via === undefined || (via.length <= viaCharactersMax && !controls.test(via))) return;
  throw new ProxyError('request_malformed', 'the hops of the connection are no value of the field Via');
}

/** `protocol name`, maybe with a comment, between commas. */
function hopsOf(via: string | undefined): readonly string[] {
  if (via === undefined) return [];
  return via.split(',').map((hop) => hop.trim().split(/\s+/)[1] ?? '');
}
