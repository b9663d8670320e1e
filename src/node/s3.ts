// Objects in S3-compatible stores, by addresses such as s3://bucket/folder/name. Amazon's SDK is loaded when one is named; where
// it looks for credentials, the region and another endpoint (AWS_ENDPOINT_URL) is its own documentation's to say.
import { setTimeout as wait } from "node:timers/promises";
import { InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { patience } from "./patience.ts";
import { type Entry, type Stamp, StopsAll, type Store } from "./store.ts";

/** The package, which who needs it installs. */
const sdk = "@aws-sdk/client-s3";

/** What is used of it. */
interface Sdk {
  S3Client: new (
    options: object,
  ) => {
    send(command: object, options: { abortSignal?: AbortSignal }): Promise<Answer>;
  };
  GetObjectCommand: Command;
  PutObjectCommand: Command;
  HeadObjectCommand: Command;
  ListObjectsV2Command: Command;
}

type Command = new (input: object) => object;

interface Answer {
  Body?: { transformToByteArray(): Promise<Uint8Array> };
  ContentLength?: number;
  ETag?: string;
  Contents?: { Key: string; Size: number; ETag: string }[];
  NextContinuationToken?: string;
}

/** What the SDK's errors say. */
interface StoreError extends NodeJS.ErrnoException {
  $metadata?: { httpStatusCode?: number };
  $retryable?: object;
}

interface Place {
  Bucket: string;
  Key: string;
}

let client: Promise<{ sdk: Sdk; send: InstanceType<Sdk["S3Client"]>["send"] }> | undefined;

async function connect() {
  const loaded: Sdk = await import(sdk).catch((cause: Error) => {
    const hint = `npm install ${sdk} (beside rank1: with -g if that was)`;
    const received = (cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND" ? "none" : cause.message;
    throw new UnsupportedError({ parameter: "s3://", expected: `the package ${sdk}`, received, hint, cause });
  });
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  const own = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL;
  // Other stores than Amazon's have one name for all buckets, any region, and not all know the newer checksums.
  const other = { endpoint: own, forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" };
  const region = AWS_REGION || AWS_DEFAULT_REGION || (own ? "us-east-1" : undefined);
  const requestHandler = { connectionTimeout: 10_000, requestTimeout: 120_000 };
  const found = new loaded.S3Client({ ...(own && other), ...(region && { region }), requestHandler });
  return { sdk: loaded, send: found.send.bind(found) };
}

/** One request, with as much patience as is set; `undefined` for an object that is not there. */
async function request(
  name: Exclude<keyof Sdk, "S3Client">,
  path: string,
  input: object,
  { signal, writes }: { signal?: AbortSignal; writes?: boolean } = {},
): Promise<(Answer & { bytes?: Uint8Array }) | undefined> {
  client ??= connect();
  const { sdk, send } = await client.catch((error) => {
    client = undefined;
    throw error;
  });
  const end = performance.now() + (patience.milliseconds ?? 0);
  for (let pause = 500; ; pause = Math.min(2 * pause, 15_000)) {
    try {
      const answer = await send(new sdk[name](input), { abortSignal: signal });
      return answer.Body ? { ...answer, bytes: await answer.Body.transformToByteArray() } : answer;
    } catch (error) {
      signal?.throwIfAborted();
      if (isMissing(error as StoreError)) return undefined;
      const left = end - performance.now();
      if (!isPassing(error as StoreError) || left <= 0) throw failure(path, error as StoreError, writes);
      if (pause === 500) patience.tell?.(`${path}: the store does not answer (${reasonOf(error as StoreError)})`);
      await wait(Math.min(pause, left), undefined, { signal });
    }
  }
}

const statusOf = (error: StoreError): number => error.$metadata?.httpStatusCode ?? 0;
const isMissing = (error: StoreError): boolean => error.name === "NoSuchKey" || error.name === "NotFound";

const networkCodes =
  /^(ECONN\w+|EPIPE|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ERR_STREAM_PREMATURE_CLOSE)$/;
const passingNames = /^(TimeoutError|RequestTimeout\w*|SlowDown|Throttling\w*|InternalError|ServiceUnavailable)$/;

/** Whether the same request may work later. */
const isPassing = (error: StoreError): boolean =>
  statusOf(error) >= 500 ||
  statusOf(error) === 429 ||
  networkCodes.test(error.code ?? "") ||
  passingNames.test(error.name) ||
  (error.$retryable !== undefined && statusOf(error) !== 403);

/** `HEAD` has no body that would say more. */
const reasonOf = (error: StoreError): string => {
  const { name, code, message } = error;
  const status = statusOf(error);
  const said = [message, code, name].find((text) => text && !/^(Unknown|UnknownError|Error)$/.test(text));
  return [said, ...(status && !said?.includes(`${status}`) ? [`HTTP ${status}`] : [])].filter(Boolean).join(", ");
};

/** An error that concerns the object alone, or one that all others would meet as well. */
function failure(path: string, error: StoreError, writes = false): Error {
  const details = { parameter: path, received: reasonOf(error), cause: error };
  const found = new InvalidArgumentError({
    ...details,
    expected: `an object that can be ${writes ? "written" : "read"}`,
  });
  const ofAll = writes || isPassing(error) || /^(NoSuchBucket|Credentials\w*|InvalidAccessKeyId|SignatureDoesNotMatch)$/.test(error.name); // biome-ignore format: a line
  return ofAll ? new StopsAll(found.message, { cause: found }) : found;
}

/** "s3://bucket/a/b.png" */
function placeOf(path: string): Place {
  const [, Bucket, Key = ""] = /^s3:\/\/([^/]+)(?:\/(.*))?$/s.exec(path) ?? [];
  if (Bucket) return { Bucket, Key };
  throw new InvalidArgumentError({ parameter: path, expected: "an address such as s3://bucket/name", received: path });
}

const stampOf = ({ ContentLength: size = 0, ETag: version = "" }: Answer): Stamp => ({ size, version });

function missing(path: string): never {
  const [expected, received] = ["a readable file", "a name that does not exist"];
  throw new InvalidArgumentError({ parameter: path, expected, received });
}

export const store: Store = {
  async stat(path, signal): Promise<Stamp | undefined> {
    const found = await request("HeadObjectCommand", path, placeOf(path), { signal });
    return found && stampOf(found);
  },

  async read(path, signal) {
    const found = await request("GetObjectCommand", path, placeOf(path), { signal });
    return found?.bytes ? { bytes: found.bytes, stamp: stampOf(found) } : missing(path);
  },

  async write(path, data, signal) {
    const Body = typeof data === "string" ? Buffer.from(data) : data;
    // A store that answers so has no such bucket.
    (await request("PutObjectCommand", path, { ...placeOf(path), Body }, { signal, writes: true })) ?? missing(path);
  },

  async *list(folder, signal): AsyncGenerator<Entry> {
    const { Bucket, Key: Prefix } = placeOf(folder);
    let ContinuationToken: string | undefined;
    do {
      const page = await request("ListObjectsV2Command", folder, { Bucket, Prefix, ContinuationToken }, { signal });
      for (const { Key, Size: size, ETag: version } of page?.Contents ?? [])
        if (!Key.endsWith("/")) yield { path: `s3://${Bucket}/${Key}`, stamp: { size, version } };
      ContinuationToken = page?.NextContinuationToken;
    } while (ContinuationToken);
  },
};
