// Kinds by which the gateway signs the request itself, as it is sent: a keyed hash by a template, and the signatures of RFC 9421. The key stays here.

import { z } from 'zod';
import { cgiName } from '../../../http/header-list.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { isCoverable, isLasting } from '../signatures/covered-head.ts';
import { HmacInjector } from '../signatures/hmac-injector.ts';
import { MessageSignatureInjector } from '../signatures/message-signature.ts';
import { derivedComponents, parseComponent, type SignatureComponent } from '../signatures/signature-base.ts';
import { MessageSigner, signatureAlgorithms } from '../signatures/signing-key.ts';
import type { CredentialSource } from '../sources/credential-source.ts';
import {
  parseSignatureTemplate,
  placedTextProblem,
  signedTextProblem,
} from '../signatures/signature-template.ts';
import type { TemplatePart } from '../signatures/signature-template.ts';
import { credentialKind, needed } from './credential-kind.ts';
import type { Credential } from './credential-kind.ts';
import { fieldName } from './field-name.ts';
import { openSource } from './open-source.ts';
import { standIn } from './placeholder-form.ts';

/** What the reader says of a template; undefined: it is good. */
function templateProblem(
  template: string,
  problemOf: (parts: readonly TemplatePart[]) => string | undefined,
): string | undefined {
  try {
    return problemOf(parseSignatureTemplate(template));
  } catch (error) {
    return error instanceof Error ? error.message : 'it cannot be read';
  }
}

function templateText(hint: string, problemOf: (parts: readonly TemplatePart[]) => string | undefined) {
  return z
    .string({ error: hint })
    .min(1, { error: hint })
    .refine((template) => templateProblem(template, problemOf) === undefined, {
      error: ({ input }) => templateProblem(String(input), problemOf) ?? hint,
    });
}

const templateHint = needed(
  'hmac',
  'template',
  'write the text that the service signs, such as "v0:{timestamp}:{body}"',
);
const placedHint = 'write text with {signature} or {timestamp} in it, such as "v0={signature}"';
const placedTemplate = templateText(placedHint, placedTextProblem);
const { signaturePlacesMax } = defaultLimits;
const headersHint = 'write a map from header field to its text, such as { X-Signature: "{signature}" }';
const parametersHint = 'write a map from query parameter to its text, such as { signature: "{signature}" }';
const parameterHint = 'write the name of a query parameter in letters, digits, "-", "." and "_"';
const fieldSchema = fieldName(
  'write the name of a header field, such as X-Signature',
  'write another field',
).refine((name) => isLasting(name.toLowerCase()), {
  error: ({ input }) => `the gateway sets ${String(input)} itself; write another field`,
});
const parameterSchema = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, { error: parameterHint });

/** Texts by the names of what they are put into. */
function places(hint: string, name: z.ZodType<string>) {
  const problemOf = (map: object): string | undefined => {
    const names = Object.keys(map);
    if (names.length > signaturePlacesMax) return `write at most ${String(signaturePlacesMax)}`;
    if (new Set(names.map(cgiName)).size < names.length) return 'write each name once';
    return names
      .map((one) => name.safeParse(one).error?.issues[0]?.message)
      .find((told) => told !== undefined);
  };
  return z.record(z.string(), placedTemplate, { error: hint }).refine((map) => problemOf(map) === undefined, {
    error: ({ input }) => problemOf(Object(input)) ?? hint,
  });
}

const partsOf = (map: Readonly<Record<string, string>> = {}) =>
  Object.entries(map).map(([name, template]) => ({ name, parts: parseSignatureTemplate(template) }));

/** The source has the key, which never travels: there is nothing to search responses for. */
const hmac = credentialKind({
  kind: 'hmac',
  summary: 'A keyed hash over the request, by a template.',
  shape: {
    template: templateText(templateHint, (parts) =>
      signedTextProblem(parts, { isAmbiguityAllowed: true }),
    ).describe('For kind hmac: the text that is signed, with {timestamp}, {method}, {target}, {body} …'),
    algorithm: z
      .enum(['sha256', 'sha512', 'sha1'], {
        error: 'write sha256, sha512, or sha1 if the service wants that',
      })
      .optional()
      .describe('For kind hmac: sha256 by default.'),
    keyEncoding: z
      .enum(['text', 'hex', 'base64'], { error: 'write text, hex or base64' })
      .optional()
      .describe('For kind hmac: how the secret has the key; text by default.'),
    encoding: z
      .enum(['hex', 'base64', 'base64url'], { error: 'write hex, base64 or base64url' })
      .optional()
      .describe('For kind hmac: how the signature is written; hex by default.'),
    headers: places(headersHint, fieldSchema)
      .optional()
      .describe('For kind hmac: the fields that carry the signature and what it needs, by their names.'),
    parameters: places(parametersHint, parameterSchema)
      .optional()
      .describe('For kind hmac: the same for parameters of the query.'),
    dangerouslyAllowAmbiguous: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe('For kind hmac: take a template by which two requests can have the same text.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({
    template,
    headers,
    parameters,
    algorithm = 'sha256',
    keyEncoding = 'text',
    encoding = 'hex',
    dangerouslyAllowAmbiguous: isAmbiguityAllowed = false,
  }) => ({
    algorithm,
    keyEncoding,
    encoding,
    isAmbiguityAllowed,
    text: parseSignatureTemplate(template),
    headers: partsOf(headers),
    parameters: partsOf(parameters),
  }),
  where: ({ algorithm, headers, parameters }) => {
    const fields = headers.map(({ name }) => `the field ${name}`);
    const places = [...fields, ...parameters.map(({ name }) => `the parameter ${name} of the query`)];
    return `a keyed hash (${algorithm}) by a template: ${places.join(', ')}`;
  },
  open: (name, config, context) => {
    const { source: where, isAmbiguityAllowed, text, headers, parameters } = config;
    const problem =
      signedTextProblem(text, { isAmbiguityAllowed }) ?? placesProblem(text, [...headers, ...parameters]);
    if (problem !== undefined) throw new ProxyError('config_invalid', `credential ${name}: ${problem}`);
    const source = openSource(name, where, context);
    return signing(source, new HmacInjector({ name, ...config }, context.held));
  },
});

/** What whoever verifies it could not know, or what would be signed before it is there. */
function placesProblem(
  text: readonly TemplatePart[],
  places: readonly { readonly name: string; readonly parts: readonly TemplatePart[] }[],
): string | undefined {
  const has = (parts: readonly TemplatePart[], kind: TemplatePart['kind']): boolean =>
    parts.some((part) => part.kind === kind);
  if (!places.some(({ parts }) => has(parts, 'signature')))
    return 'no field and no parameter has {signature}; write headers: { X-Signature: "{signature}" }';
  if (has(text, 'nonce') && !places.some(({ parts }) => has(parts, 'nonce')))
    return 'the template has {nonce}, and no field and no parameter tells the service which; write one with "{nonce}"';
  const carrying = new Set(
    places.flatMap(({ name, parts }) => (has(parts, 'signature') ? [name.toLowerCase()] : [])),
  );
  const covered = text.flatMap((part) => (part.kind === 'field' ? [part.name] : []));
  const early = covered.find((name) => carrying.has(name));
  if (early !== undefined) return `the field ${early} carries the signature, so it cannot be signed`;
  const changed = covered.find((name) => !isCoverable(name));
  return changed === undefined
    ? undefined
    : `the field ${changed} belongs to the connection or is changed behind the signature; leave it out of the template`;
}

const algorithmHint = needed('http-signature', 'algorithm', `write one of ${signatureAlgorithms.join(', ')}`);
const keyIdHint = needed('http-signature', 'keyId', 'write the name by which the service knows the key');
const componentsHint = needed(
  'http-signature',
  'components',
  'write a list of what is signed, such as ["@method", "@target-uri", content-digest]',
);
const componentHint = `write a field in lower case, one of ${derivedComponents.slice(0, -1).join(', ')}, or '@query-param;name="NAME"'`;
const secondsHint = 'write seconds from 1 to 3600';
const { signatureComponentsMax } = defaultLimits;

function componentProblem(text: string): string | undefined {
  const component = parseComponent(text);
  if (component === undefined) return componentHint;
  return component.kind === 'field' && !isCoverable(component.name)
    ? `the field ${component.name} belongs to the connection or is changed behind the signature; leave it out`
    : undefined;
}

/** The source has the private key as PEM, or for hmac-sha256 the shared one. Neither travels. */
const httpSignature = credentialKind({
  kind: 'http-signature',
  summary: 'A signature of the request as RFC 9421 has it.',
  shape: {
    algorithm: z
      .enum(signatureAlgorithms, { error: algorithmHint })
      .describe('For kind http-signature: what the key signs with. For kind hmac: the hash.'),
    keyId: z
      .string({ error: keyIdHint })
      .regex(/^[\x20-\x7e]{1,256}$/, { error: keyIdHint })
      .describe('For kind http-signature: the parameter keyid.'),
    components: z
      .array(
        z.string({ error: componentHint }).refine((text) => componentProblem(text) === undefined, {
          error: ({ input }) => componentProblem(String(input)) ?? componentHint,
        }),
        { error: componentsHint },
      )
      .min(1, { error: componentsHint })
      .max(signatureComponentsMax, { error: `write at most ${String(signatureComponentsMax)} components` })
      .refine((all) => new Set(all).size === all.length, {
        error: 'write each component once (RFC 9421 §2.5)',
      })
      .describe('For kind http-signature: what is signed, in order.'),
    label: z
      .string({ error: 'write a label such as sig1' })
      .regex(/^[a-z*][a-z0-9_.*-]{0,63}$/, { error: 'write a label such as sig1' })
      .optional()
      .describe('For kind http-signature: the name of the signature in its fields; sig1 by default.'),
    digest: z
      .enum(['sha-256', 'sha-512'], { error: 'write sha-256 or sha-512' })
      .optional()
      .describe('For kind http-signature with content-digest: the hash; sha-256 by default.'),
    expiresSeconds: z
      .int({ error: secondsHint })
      .min(1, { error: secondsHint })
      .max(3600, { error: secondsHint })
      .optional()
      .describe('For kind http-signature: how long it counts; without it there is no parameter expires.'),
    nonce: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe('For kind http-signature: whether each signature has a nonce.'),
    tag: z
      .string({ error: 'write the tag that the service wants' })
      .regex(/^[\x20-\x7e]{1,256}$/, { error: 'write the tag that the service wants' })
      .optional()
      .describe('For kind http-signature: the parameter tag.'),
    keyEncoding: z
      .enum(['text', 'base64'], { error: 'write text or base64' })
      .optional()
      .describe('For kind http-signature with hmac-sha256: how the secret has the key; text by default.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({
    label = 'sig1',
    digest = 'sha-256',
    nonce = false,
    keyEncoding = 'text',
    components,
    ...own
  }) => ({
    ...own,
    label,
    digest,
    keyEncoding,
    hasNonce: nonce,
    components: components.flatMap((text) => parseComponent(text) ?? []),
  }),
  where: ({ label, algorithm, keyId, components }) =>
    `the fields Signature and Signature-Input (RFC 9421), ${label} by the key ${keyId} (${algorithm}) over ${components.map(componentText).join(', ')}`,
  open: (name, config, context) => {
    const { source: where, algorithm, keyEncoding, expiresSeconds, tag } = config;
    const source = openSource(name, where, context, algorithm === 'hmac-sha256' ? 'line' : 'pem');
    const injector = new MessageSignatureInjector(
      { ...config, expiresSeconds, tag },
      new MessageSigner(name, algorithm, keyEncoding),
      context.held,
    );
    return signing(source, injector);
  },
});

function componentText(component: SignatureComponent): string {
  return component.kind === 'parameter' ? `@query-param;name="${component.parameter}"` : component.name;
}

/** Both kinds put a signature of theirs on every request, behind all else. */
function signing(
  source: CredentialSource,
  injector: Pick<HmacInjector, 'inject'> | Pick<MessageSignatureInjector, 'inject'>,
): Credential {
  return {
    isLast: true,
    applies: () => true,
    values: () => Promise.resolve([]),
    apply: async (head, nowMs, body) => {
      const secret = await source.read(nowMs);
      const injected = await injector.inject(head, secret, { nowMs, body });
      return { ...injected, values: [], onRejected: (rejectedMs) => source.reject?.(secret, rejectedMs) };
    },
  };
}

export const signatureKinds = [hmac, httpSignature] as const;
