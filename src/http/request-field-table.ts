// Request fields that some origins take for more than a client's word: they say who asks, or change what is asked.

/** As every origin that folds names reads one: lower case, and a hyphen for whatever is no letter and no digit. */
export function fieldKey(name: string): string {
  let key = '';
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at) | (name.charCodeAt(at) < 0x60 && name.charCodeAt(at) > 0x40 ? 0x20 : 0);
    const isPlain = (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
    key += isPlain ? String.fromCharCode(code) : '-';
  }
  return key;
}

/** Only proxies in front of an origin say these; they are removed. */
export const tellingWho: ReadonlySet<string> = new Set([
  'true-client-ip',
  'client-ip',
  'x-client-ip',
  'x-real-ip',
  'x-cluster-client-ip',
  'x-originating-ip',
  'x-remote-ip',
  'x-remote-addr',
  'remote-addr',
  'cf-connecting-ip',
  'cf-connecting-ipv6',
  'cf-ipcountry',
  'cf-visitor',
  'cf-access-authenticated-user-email',
  'cf-access-jwt-assertion',
  'fastly-client-ip',
  'fly-client-ip',
  'x-appengine-user-ip',
  'x-appengine-inbound-appid',
  'x-azure-clientip',
  'x-azure-socketip',
  'x-envoy-external-address',
  'x-envoy-internal',
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
  'x-goog-authenticated-user-email',
  'x-goog-authenticated-user-id',
  'x-goog-iap-jwt-assertion',
  'x-amzn-oidc-data',
  'x-amzn-oidc-identity',
  'x-amzn-oidc-accesstoken',
  'x-ms-client-principal',
  'x-ms-client-principal-id',
  'x-ms-client-principal-name',
  'x-ms-client-principal-idp',
  'x-remote-user',
  'remote-user',
  'remote-groups',
  'x-remote-group',
  'x-remote-groups',
  'x-auth-request-user',
  'x-auth-request-email',
  'x-auth-request-groups',
  'x-authenticated-user',
  'x-authenticated-userid',
  'x-authenticated-groups',
  'x-authenticated-scope',
  'x-credential-identifier',
  'x-consumer-id',
  'x-consumer-username',
  'x-consumer-custom-id',
  'x-webauth-user',
  'x-webauth-email',
  'x-webauth-groups',
  'x-ssl-client-cert',
  'x-ssl-client-dn',
  'x-ssl-client-verify',
  'x-ssl-cert',
  'ssl-client-cert',
  'ssl-client-verify',
  'x-client-cert',
  'x-client-dn',
  'x-client-verify',
  'client-cert',
  'client-cert-chain',
  'x-arr-clientcert',
  'x-arr-ssl',
  'x-tls-client-auth-cert',
  'auth-type',
  'auth-user',
  'auth-password',
  'script-name',
  'script-filename',
  'path-info',
  'path-translated',
  'document-root',
  'server-name',
  'server-port',
  'https',
]);

/** How a field names what is read or written beside the path. */
export type SourceForm = 'bucket' | 'url' | 'path-or-url' | 'filesystem';

export interface OtherResource {
  readonly form: SourceForm;
  /** What an origin does with the resource. */
  readonly method: 'GET' | 'PUT';
}

const bucket: OtherResource = { form: 'bucket', method: 'GET' };
/** Fields that name another resource: copy and rename sources of object stores, and where WebDAV puts one. */
export const namingAnother: ReadonlyMap<string, OtherResource> = new Map([
  ...['amz', 'goog', 'oss', 'obs', 'bce', 'bos', 'tos', 'kss', 'ufile', 'jss', 'jdcloud', 'nos', 'emc'].map(
    (cloud) => [`x-${cloud}-copy-source`, bucket] as const,
  ),
  ['x-amz-rename-source', bucket],
  ['x-cos-copy-source', { form: 'url', method: 'GET' }],
  ['x-ms-copy-source', { form: 'url', method: 'GET' }],
  ['x-ms-rename-source', { form: 'filesystem', method: 'GET' }],
  ['x-copy-from', { form: 'filesystem', method: 'GET' }],
  ['destination', { form: 'path-or-url', method: 'PUT' }],
]);

/** An origin that knows one of these runs another request than the one that was judged; they are refused. */
export const changingWhat: ReadonlySet<string> = new Set([
  ...namingAnother.keys(),
  'x-copy-from-account',
  'destination-account',
  'x-object-manifest',
  'x-symlink-target',
  'x-symlink-target-account',
  'x-ms-copy-source-authorization',
  'x-http-path-override',
  'x-path-override',
  'x-override-path',
  'x-override-url',
  'x-url-override',
  'x-http-url-override',
  'x-override-host',
  'x-host-override',
  'x-request-uri',
  'x-request-url',
  'x-request-path',
  'request-uri',
  'x-original-url',
  'x-original-uri',
  'x-original-path',
  'x-original-host',
  'x-original-method',
  'x-rewrite-url',
  'x-rewrite-uri',
  'x-rewrite-path',
  'x-rewritten-url',
  'x-envoy-original-path',
  'x-envoy-original-method',
  'x-envoy-decorator-operation',
  'x-forwarded-uri',
  'x-forwarded-path',
  'x-forwarded-prefix',
  'x-forwarded-url',
  'x-forwarded-host',
  'x-http-destinationurl',
  'x-http-host-override',
  'x-uri',
  'x-url',
  'x-path',
  'x-proxy-url',
  'x-target-url',
  'x-backend-url',
  'x-backend-host',
  'x-accel-redirect',
  'x-sendfile',
  'x-script-name',
  'base-url',
  'http-url',
]);

/** Methods that act on a second resource, which no path of a rule bounds. */
export const actingOnTwo: ReadonlySet<string> = new Set([
  'COPY',
  'MOVE',
  'RENAME',
  'BIND',
  'REBIND',
  'LINK',
  'MERGE',
]);
