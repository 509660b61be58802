// The certificates that a configuration names: the gateway's own, those that it trusts, and those that rules pin.

import { upstreamProxies } from '../../gateway/config/upstream-settings.ts';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';

import type { GatewayConfig } from '../../gateway/config/config.ts';
import { RuleTrust } from '../../gateway/forward/rule-trust.ts';
import { openIdentity } from '../../gateway/gateway-identity.ts';
import { identityPlaces } from '../../gateway/identity/identity-places.ts';
import { checkCertificates } from '../../pki/pem.ts';
import type { YamlPath } from '../../policy/yaml-source.ts';
import { asProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { keyFilesOf } from './identity-access.ts';
import type { Finding } from './place-findings.ts';

export async function certificateFindings(config: GatewayConfig, nowMs: number): Promise<readonly Finding[]> {
  const { upstream, trust, issuers, certificateAuthority } = config;
  const findings = [
    ...(await sharedIdentityFindings(config, nowMs)),
    ...(await identityFindings(config, nowMs)),
  ];
  const { signedBy } = certificateAuthority;
  const authorities: readonly (readonly [YamlPath, string])[] = [
    ...(signedBy === undefined
      ? []
      : [[['certificateAuthority', 'signedBy', 'certificates'], signedBy.certificates] as const]),
    ...upstream.ca.map((path, i) => [['upstream', 'ca', i], path] as const),
    ...upstreamProxies(upstream).flatMap(({ at, proxy }) =>
      proxy.ca.map((path, i) => [[...at, 'ca', i], path] as const),
    ),
    ...issuers.flatMap(({ ca }, n) => ca.map((path, i) => [['issuers', n, 'ca', i], path] as const)),
  ];
  for (const [at, path] of authorities) {
    try {
      checkCertificates(await readFile(path, 'utf8'));
    } catch (error) {
      findings.push({ at, message: `${path} cannot be used: ${faultReason(error)}` });
    }
  }
  for (const [name, path] of Object.entries(trust)) {
    try {
      await RuleTrust.open({ [name]: path });
    } catch (error) {
      findings.push({ at: ['trust', name, 'file'], message: asProxyError(error).message });
    }
  }
  return findings;
}

/** What several gateways share has to be there and be taken by this one; what is a gateway's own is made at its first start. */
async function sharedIdentityFindings(config: GatewayConfig, nowMs: number): Promise<readonly Finding[]> {
  if (config.identity.kind !== 'directory') return [];
  const { passphrase = {} } = config.certificateAuthority;
  // Both may count who asks.
  const isAsked = !('command' in passphrase) && !('vault' in passphrase);
  const { signingKey, interception, server } = identityPlaces(config, keyFilesOf(config));
  const wanted = [
    () => signingKey.read(),
    ...(isAsked ? [() => interception.read(nowMs)] : []),
    ...(config.tls === 'self' ? [() => server.read(nowMs)] : []),
  ];
  const findings: Finding[] = [];
  for (const read of wanted) {
    try {
      await read();
    } catch (error) {
      findings.push({ at: ['identity'], message: asProxyError(error).message });
    }
  }
  return findings;
}

async function identityFindings(config: GatewayConfig, nowMs: number): Promise<readonly Finding[]> {
  if (typeof config.tls === 'string') return [];
  const at = ['tls', 'certificate'];
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate((await openIdentity(config, {}, nowMs)).identity.certificatePem);
  } catch (error) {
    return [{ at, message: asProxyError(error).message }];
  }
  const findings: Finding[] = [];
  const { certificate: path } = config.tls;
  if (leaf.validToDate.getTime() < nowMs) {
    const message = `${path} expired at ${leaf.validToDate.toISOString()}, and every agent refuses it; renew it`;
    findings.push({ at, message });
  }
  if (leaf.validFromDate.getTime() > nowMs) {
    const message = `${path} is not valid before ${leaf.validFromDate.toISOString()}, and every agent refuses it until then`;
    findings.push({ at, message });
  }
  const missing = namesOf(config).filter((name) => !isFor(leaf, name));
  if (missing.length > 0) {
    const isNone = missing.length === namesOf(config).length;
    const message = `${path} is not for ${missing.join(', ')}, by which agents come (publicNames); it is for ${leaf.subjectAltName ?? 'no name'}`;
    // With one of them agents can come; whether they mean to by the others is not known here.
    findings.push({ at, message, severity: isNone ? 'error' : 'warning' });
  }
  return findings;
}

function namesOf({ publicNames, publicOrigins }: GatewayConfig): readonly string[] {
  if (publicOrigins === undefined) return publicNames;
  return publicOrigins.map((origin) => new URL(origin).hostname.replaceAll(/[[\]]/g, ''));
}

function isFor(leaf: X509Certificate, name: string): boolean {
  return (isIP(name) === 0 ? leaf.checkHost(name, { subject: 'never' }) : leaf.checkIP(name)) !== undefined;
}
