// What a registry of cargo says of itself: where its archives are. Nothing else is kept in its place.

import { defaultLimits } from '../../protocol/limits.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import type { MetadataCheck } from '../cache/metadata-fetch.ts';

export function registryFileCheck(): MetadataCheck {
  const octets = new GatheredOctets();
  let isLong = false;
  return {
    onHead: () => undefined,
    onData: (chunk) => {
      isLong ||= octets.length + chunk.byteLength > defaultLimits.packagePromiseBytesMax;
      if (!isLong) octets.push(chunk);
    },
    isReadable: () => !isLong && saysPlace(Buffer.from(octets.take()).toString()),
    [Symbol.dispose]: () => undefined,
  };
}

function saysPlace(text: string): boolean {
  try {
    const told: unknown = JSON.parse(text);
    return typeof told === 'object' && told !== null && 'dl' in told && typeof told.dl === 'string';
  } catch {
    return false;
  }
}
