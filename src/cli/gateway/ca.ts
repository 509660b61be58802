// `upstreamproxy ca`: the certificates that clients behind the gateway must trust, and their rotation.

import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import type { GatewayConfig } from '../../gateway/config/config.ts';
import type { AuthorityName } from '../../gateway/identity/identity-document.ts';
import { pinOf } from '../../agent/uplink/gateway-pin.ts';
import { interceptionFolder } from '../../gateway/identity/identity-places.ts';
import { encryptAuthorityKeys } from '../../pki/authority-encryption.ts';
import { javaKeyStore } from '../../pki/java-key-store.ts';
import { checkCertificates, pemContents, splitPemCertificates } from '../../pki/pem.ts';
import { pkcs12TrustStore } from '../../pki/pkcs12-trust-store.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { caDefinition } from '../commands/ca-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { jsonLine } from '../terminal/text-table.ts';
import { requestsOf } from './authority-request-steps.ts';
import { type AuthorityRotation, rotationOf } from './authority-steps.ts';
import { gatewayOfOptions } from './gateway-configuration.ts';
import { keyFilesOf, placesOfConfig } from './identity-access.ts';
import { tellDone } from '../terminal/notes.ts';

/** What is shown of a certificate instead of itself. */
interface CertificateSummary {
  readonly subject: string;
  readonly validFrom: string;
  readonly validTo: string;
  readonly sha256: string;
  readonly pin: string;
}

function summariesOf(pem: string): readonly CertificateSummary[] {
  return splitPemCertificates(pem).map((text) => {
    const certificate = new X509Certificate(text);
    const { validFrom, validTo, fingerprint256: sha256 } = certificate;
    const subject = certificate.subject.replaceAll('\n', ', ');
    return { subject, validFrom, validTo, sha256, pin: pinOf(certificate) };
  });
}

function summaryText({ subject, validFrom, validTo, sha256, pin }: CertificateSummary): string {
  return `${subject}\n  valid  ${validFrom} to ${validTo}\n  sha256 ${sha256}\n  pin    ${pin}\n`;
}

/** Java opens none without a password. */
const storePassword = 'changeit';

function inForm(pem: string, format: 'pem' | 'jks' | 'pkcs12'): string | Uint8Array {
  if (format === 'pem') return pem;
  const certificates = splitPemCertificates(pem).map(pemContents);
  if (format === 'pkcs12') return pkcs12TrustStore(certificates, storePassword);
  return javaKeyStore(certificates, storePassword, 0);
}

function operatorsOwn({ tls }: GatewayConfig): ProxyError {
  const file = typeof tls === 'string' ? '' : `, ${tls.certificate}`;
  return new ProxyError(
    'usage',
    `the certificate of the gateway's port is your own${file}; pin its authority`,
  );
}

/** Throws usage. */
function named(
  { server, peers }: { readonly server: boolean; readonly peers: boolean },
  config: GatewayConfig,
): AuthorityName {
  if (server && peers) throw new ProxyError('usage', 'give --server or --peers, not both');
  if (server && config.tls !== 'self') throw operatorsOwn(config);
  if (server) return 'server';
  return peers ? 'peers' : 'interception';
}

type ShowInput = Input<(typeof caDefinition)['actions'][0]>;

async function show({ options: values }: ShowInput): Promise<number> {
  const { format, json } = values;
  const summary = values.summary || json;
  if (summary && format !== 'pem')
    throw new ProxyError('usage', 'a summary is text: leave --summary and --json away, or --format');
  const config = await gatewayOfOptions(values);
  const place = (await placesOfConfig(config))[named(values, config)];
  const authority = await place.open(Date.now());
  const pem = values.signer ? authority.signerPem : authority.certificatesPem;
  process.stdout.write(
    summary
      ? summariesOf(pem)
          .map(json ? jsonLine : summaryText)
          .join('')
      : inForm(pem, format),
  );
  return 0;
}

type RotationInput = Input<(typeof caDefinition)['actions'][1]>;
type RetireInput = Input<(typeof caDefinition)['actions'][3]>;

/** Of the authority that is meant. Throws usage. */
async function meant({ server, peers, ...place }: RetireInput['options']): Promise<AuthorityRotation> {
  const config = await gatewayOfOptions(place);
  return rotationOf(config, named({ server, peers }, config));
}

async function next({ options: values }: RotationInput): Promise<number> {
  const { 'own-root': isOwnRoot, ...options } = values;
  const [made] = summariesOf(await (await meant(options)).next(Date.now(), { isOwnRoot }));
  if (made !== undefined) tellDone(options, summaryText(made));
  return 0;
}

async function change({ options: values }: Input<(typeof caDefinition)['actions'][2]>): Promise<number> {
  const { 'at-once': atOnce, ...options } = values;
  await (await meant(options)).switch(Date.now(), atOnce);
  return 0;
}

async function retire({ options }: RetireInput): Promise<number> {
  const count = await (await meant(options)).retire();
  tellDone(options, `certificates that are published no more: ${String(count)}\n`);
  return 0;
}

async function request({ options }: Input<(typeof caDefinition)['actions'][4]>): Promise<number> {
  const { 'common-name': commonName, anew: isAnew, ...place } = options;
  const requests = requestsOf(await gatewayOfOptions(place));
  process.stdout.write(await requests.request({ commonName, isAnew }));
  return 0;
}

async function install({
  options,
  arguments: { CHAIN: path },
}: Input<(typeof caDefinition)['actions'][5]>): Promise<number> {
  const requests = requestsOf(await gatewayOfOptions(options));
  const { installed, ownPem } = await requests.install(await readChain(path), Date.now());
  const [own] = summariesOf(ownPem);
  const then =
    installed === 'signs'
      ? 'It signs from now on.'
      : 'Containers do not trust its root yet. It is published from now on: go on with "ca switch" when programs that run have read it.';
  if (own !== undefined) tellDone(options, `${summaryText(own)}${then}\n`);
  return 0;
}

async function encrypt({ options }: Input<(typeof caDefinition)['actions'][6]>): Promise<number> {
  const config = await gatewayOfOptions(options);
  if (config.identity.kind === 'store')
    throw new ProxyError('usage', 'the authority of this configuration is in the store, which has it sealed');
  const paths = await encryptAuthorityKeys(interceptionFolder(config, keyFilesOf(config)));
  tellDone(options, `key files that were encrypted: ${paths.length}\n`);
  return 0;
}

/** Throws `ca_invalid`, with the name of the file. */
async function readChain(path: string): Promise<readonly string[]> {
  try {
    return checkCertificates(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new ProxyError('ca_invalid', `${path} cannot be used: ${faultReason(cause)}`, { cause });
  }
}

export const caCommand = groupOf(caDefinition, {
  show,
  next,
  switch: change,
  retire,
  request,
  install,
  encrypt,
});
