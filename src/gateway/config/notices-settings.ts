// What the configuration says of notices.

import { asList } from '../../policy/schema-parts.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { NoticeKind } from './notice-kinds.ts';
import type { GatewayConfigDocument } from './config-schema.ts';
import type { NoticesDocument } from './notices-schema.ts';

export interface NoticeReceiver {
  readonly name: string;
  readonly url: string | PlainSourceConfig;
  readonly format: 'cloudevents' | 'slack';
  /** Signs what is sent. */
  readonly secret?: PlainSourceConfig;
  readonly tell: readonly NoticeKind[];
  readonly perMinute: number;
  /** Paths of PEM files. */
  readonly ca: readonly string[];
  readonly link?: string;
  /** Whether the callbacks of its name are taken, so that its messages may have buttons. */
  readonly canDecide: boolean;
}

/** None where the file has no `notices`. */
export function noticesSettings(
  { notices, callbacks }: Pick<GatewayConfigDocument, 'notices' | 'callbacks'>,
  absolute: (path: string) => string,
): { readonly notices?: readonly NoticeReceiver[] } {
  const receivers = Object.entries(notices ?? {}).map(([name, one]) =>
    receiverSettings(name, one, { absolute, canDecide: Object.hasOwn(callbacks?.senders ?? {}, name) }),
  );
  return receivers.length === 0 ? {} : { notices: receivers };
}

function receiverSettings(
  name: string,
  {
    url = '',
    urlFrom,
    format = 'cloudevents',
    secret,
    tell,
    perMinute = 30,
    ca,
    link,
  }: NonNullable<NoticesDocument[string]>,
  { absolute, canDecide }: { readonly absolute: (path: string) => string; readonly canDecide: boolean },
): NoticeReceiver {
  return {
    name,
    // The schema has seen to it that there is one of both.
    url: urlFrom === undefined ? url : plainSourceSettings(urlFrom, absolute),
    format,
    ...(secret === undefined ? {} : { secret: plainSourceSettings(secret, absolute) }),
    tell: asList(tell),
    perMinute,
    ca: asList(ca).map(absolute),
    ...(link === undefined ? {} : { link }),
    canDecide,
  };
}
