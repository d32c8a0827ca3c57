// Clips: what a video model can make, and what there is to say of a clip. Nothing here knows of the screen.
import type { JobRequest, Model, Picture, VideoAbilities } from './api';

export function isClip(picture: Pick<Picture, 'kind'>): boolean {
  return picture.kind === 'video';
}

// Shown as pictures are, without a player.
export function isAnimation(picture: Pick<Picture, 'kind' | 'media_type'>): boolean {
  return isClip(picture) && picture.media_type.startsWith('image/');
}

export function clipSeconds(frames: number | null | undefined, fps: number | null | undefined): number | null {
  return frames && fps && frames > 0 && fps > 0 ? frames / fps : null;
}

export function canMake(frames: number, { frames_multiple: multiple }: Pick<VideoAbilities, 'frames_multiple'>): boolean {
  return Number.isInteger(frames) && frames >= 1 && (frames - 1) % multiple === 0;
}

// The counts next to it that the model can do: one below and one above, or itself.
export function nearestCounts(frames: number, video: Pick<VideoAbilities, 'frames_multiple'>): number[] {
  if (canMake(frames, video)) return [frames];
  const multiple = video.frames_multiple;
  const below = Math.floor((frames - 1) / multiple) * multiple + 1;
  return [below, below + multiple].filter((count) => count >= 1);
}

// The count whose clip lasts nearest to `seconds`.
export function countLasting(seconds: number, fps: number, video: Pick<VideoAbilities, 'frames_multiple'>): number {
  const multiple = video.frames_multiple;
  return Math.max(0, Math.round((seconds * fps - 1) / multiple)) * multiple + 1;
}

// Whole seconds up to the length of the model's own clips, each with the count that comes nearest.
export function lengthChoices(video: VideoAbilities, fps: number): { seconds: number; frames: number }[] {
  const most = Math.max(1, Math.round(video.frames / video.fps));
  return Array.from({ length: most }, (_, i) => ({ seconds: i + 1, frames: countLasting(i + 1, fps, video) }));
}

// The model's own shape, lying, standing and square with about as many pixels, in sizes that it can make.
export function clipShapes(video: VideoAbilities): { name: string; width: number; height: number }[] {
  const side = Math.round(Math.sqrt(video.width * video.height) / video.size_multiple) * video.size_multiple;
  return [
    { name: 'Wide', width: video.width, height: video.height },
    { name: 'Tall', width: video.height, height: video.width },
    { name: 'Square', width: side, height: side },
  ];
}

// The first that can be used is the server's own choice. undefined: not known, as a name that it does not list.
export function modelNamed(models: Model[], name: string): Model | undefined {
  const usable = models.filter((model) => model.problem === null);
  return name === '' ? usable[0] : usable.find((model) => model.name === name);
}

// How long the clip of a request will be; null where it makes no clip, or none whose length is known.
export function secondsAsked(request: JobRequest | null, models: Model[]): number | null {
  const own = modelNamed(models, typeof request?.model === 'string' ? request.model : '')?.video ?? null;
  const asked = (name: string): number | undefined => (typeof request?.[name] === 'number' ? (request[name] as number) : undefined);
  const frames = asked('frames') ?? own?.frames;
  const fps = asked('fps') ?? own?.fps;
  return own === null && asked('frames') === undefined ? null : clipSeconds(frames, fps);
}

const ENDINGS: Record<string, string> = { 'image/jpeg': 'jpg' };

export function fileEnding(mediaType: string): string {
  return ENDINGS[mediaType] ?? mediaType.replace(/^(image|video)\//, '');
}
