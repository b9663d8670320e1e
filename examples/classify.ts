// Says what a picture shows: `node examples/classify.ts resnet20-cifar10.onnx picture.jpg`
import { imageToTensor, loadModel } from "rank1/onnx";
import sharp from "sharp";

const [file, picture] = process.argv.slice(2);
const { data, info } = await sharp(picture).removeAlpha().raw().toBuffer({ resolveWithObject: true });
const size = { width: 32, height: 32 };
const input = imageToTensor({ data, info }, { size, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] });

const model = await loadModel(file); // a path or an address; or bytes, a Response, a File
const [result] = Object.values(await model.run({ input })); // compiled at the first run for inputs of this shape
const scores = Array.from(result.data, Number);
const classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
console.log(classes[scores.indexOf(Math.max(...scores))]);
model.dispose();
